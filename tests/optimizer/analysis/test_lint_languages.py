"""Prompts in other languages, and good English ones: no false alarm."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from lint_kit import ROUTING, lint

from sharpen.optimizer.analysis.language import guess_language
from sharpen.optimizer.models import Severity

_PROMPTS = yaml.safe_load((Path(__file__).parent / "good_prompts.yaml").read_text("utf-8"))
FOREIGN, ENGLISH = _PROMPTS["foreign"], _PROMPTS["english"]


@pytest.mark.parametrize("text", FOREIGN.values(), ids=FOREIGN)
def test_no_false_alarm_in_another_language(text):
    analysis = lint(text)
    assert analysis.issues == ()
    assert analysis.metadata["language"] != "en"


@pytest.mark.parametrize("text", ENGLISH.values(), ids=ENGLISH)
def test_no_false_alarm_on_a_good_prompt(text):
    assert lint(text).issues == ()


@pytest.mark.parametrize("text", FOREIGN.values(), ids=FOREIGN)
def test_only_rules_for_any_language_speak_when_assertions_demand_more(text):
    found = {issue.type for issue in lint(text, context=ROUTING).issues if issue.severity is not Severity.INFO}
    assert found <= {"SP001", "SP202"}


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Check this message.", "en"),
        ("Classify sentiment", "en"),
        ("Translate the German text into English and keep the names.", "en"),
        ("Café, naïve and jalapeño are loan words. Say which language they come from.", "en"),
        ("Antworte nur mit dem Namen der Kategorie und nichts anderem.", "de"),
        ("Réponds uniquement par le nom de la catégorie.", "fr"),
        ("Proszę podać tylko nazwę kategorii, która jest w tekście.", "pl"),
        ("Metni oku ve bu kategori için bir isim seç.", "tr"),
        ("positive negative neutral", None),
        ("分类", None),
        ("Классифицируй the text", None),
        ("", None),
        ("42 %", None),
    ],
)
def test_language_guess(text, language):
    assert guess_language(text) == language
