"""Every rule: a text it finds something in, and a close one it leaves alone."""

from __future__ import annotations

import pytest
from lint_kit import CASES, EQUALS, LABELS, ROUTING, demanding, lint, prompt_of, rules_of

from sharpen.config.assertions import JsonAssertion, LengthAssertion, NumberAssertion
from sharpen.config.models import Case
from sharpen.optimizer.analysis.analyzer import LintContext
from sharpen.optimizer.analysis.fixes import apply_fixes
from sharpen.optimizer.models import Severity

COLUMNS = LintContext(columns=frozenset({"message", "order"}))
JSON = demanding(JsonAssertion(type="is-json", value={"properties": {"queue": {}, "urgent": {}}}))
NUMBER = demanding(NumberAssertion(type="is-number"))
LONG = "The shop has sold shoes since the year it was founded and has three stores in the north of the country. " * 6
LONG = " ".join(f"{sentence.strip()} Store {number}." for number, sentence in enumerate(LONG.split(".")[:-1]))
RAW = LintContext(api="completions")

FOUND = [
    ("SP001", "Translate {{ mesage }} into French.", COLUMNS),
    ("SP001", "{% if mesage %}Translate {{ message }}.{% endif %}", COLUMNS),
    ("SP002", "Translate {{ message }}.", COLUMNS),
    ("SP003", "Translate {{ message into French.", None),
    ("SP003", "Translate\n\n{% if x %}{{ x }}", None),
    ("SP004", "Translate the message into French.", COLUMNS),
    ("SP101", "This is a message from a customer.\n\n{{ message }}", None),
    ("SP101", "{{ message }}", None),
    ("SP102", "Check this message.\n\n{{ message }}", None),
    ("SP102", "Please process the following text carefully:\n\n{{ text }}", None),
    ("SP103", f"{LONG} Sort the message into a queue. {LONG}", None),
    ("SP104", "Be brief. Explain the text in great detail.", None),
    ("SP104", "Return only JSON. Explain your reasoning.", None),
    ("SP104", "Answer with one word. Use full sentences.", None),
    ("SP104", "Choose exactly one label. Choose all labels that apply.", None),
    ("SP104", "Write in lower case. Write in upper case.", None),
    ("SP105", "Answer with the label only. Sort the text. Answer with the label only.", None),
    ("SP105", "Be brief. Sort the text. Be brief.", None),
    ("SP105", "Antworte nur mit dem Namen. Lies den Text. Antworte nur mit dem Namen.", None),
    ("SP106", "Translate.\nDon't add notes. Never explain the result. Do not quote the text. Avoid slang.", None),
    ("SP201", "Sort the message.\n\n{{ message }}", ROUTING),
    ("SP201", "Tell me about {{ message }}.", NUMBER),
    ("SP201", "Describe the product.", demanding(LengthAssertion(type="length", max=20, unit="words"))),
    ("SP202", "Answer with exactly one word: billing or shipping.\n\n{{ message }}", ROUTING),
    ("SP203", "Name the queue and say whether it is urgent.\n\n{{ message }}", JSON),
    ("SP204", "Return JSON with the key queue.\n\n{{ message }}", JSON),
    ("SP205", "Sort it.\n\nText: a\nLabel: billing\n\nText: b\nLabel: Refunds\n\nText: {{ message }}\nLabel:", ROUTING),
    ("SP301", "Give a few examples of {{ topic }}.", None),
    ("SP301", "Write a short summary of the text.", None),
    ("SP301", "Maybe list the price in the answer.", None),
    ("SP301", "Make it kind of formal.", None),
    ("SP301", "Answer in French if possible.", None),
    ("SP301", "List various ideas for {{ topic }}.", None),
    ("SP301", "Write a very very formal letter.", None),
    ("SP302", "It is important to note that you must translate the text.", None),
    ("SP302", "Translate the text. This is very important to my career.", None),
    ("SP303", "Please translate the text.", None),
    ("SP303", "Translate the text. Thank you so much for your help!", None),
    (
        "SP304",
        "Hello there! I hope you are doing well today. I really appreciate your help. You can do it. "
        "Translate the text into French and keep every name as it is in the original. Use the polite form, "
        "and keep the line breaks. This is very important to me. Thank you in advance for your help.",
        None,
    ),
    ("SP305", "Translate the text. DO NOT explain anything.", None),
    ("SP305", "Translate the text!!!", None),
    ("SP305", "Übersetze den Text. ALLES GENAU SO LASSEN bitte.", None),
    ("SP401", "Translate {{ text }} into French and keep the names.", None),
    ("SP401", "Translate the text.\n\n{{ text }}\n\nKeep the names.", None),
    ("SP402", "Translate the text.  \n\n{{ text }}", None),
    ("SP403", "Translate the text.\n\nText: {{ text }}\nFrench: ", RAW),
    ("SP404", "Translate the text.\n\n{{ text }}", RAW),
    ("SP501", "Sort it.\n\nparcel number 4 has not\ncome yet, where is it? -> shipping\n\n{{ message }}", ROUTING),
]

LEFT_ALONE = [
    ("SP001", "{% for m in message %}{{ m }}{% endfor %}{% set k = order %}{{ k }}", COLUMNS),
    ("SP001", "Translate {{ anything }}.", None),
    ("SP002", "Translate {{ message }} of {{ order }}.", COLUMNS),
    ("SP003", "Write {{ '{{' }} and {% raw %}{{ x }{% endraw %} {{ {'a': {'b': '}}'}} }}", None),
    ("SP004", "Translate {{ nothing_known }}.", COLUMNS),
    ("SP004", "Translate the message.", None),
    ("SP101", "Sentiment of the review?\n\n{{ review }}", None),
    ("SP101", "You translate what the user says into French.", None),
    ("SP101", "Skedaddle the {{ text }}.", None),
    ("SP101", "Review: {{ review }}\nSentiment:", None),
    ("SP102", "Check this message for spelling mistakes.\n\n{{ message }}", None),
    ("SP102", "Read the message. Name the team that should answer it.\n\n{{ message }}", None),
    ("SP103", f"Sort the message into a queue. {LONG} {LONG}", None),
    ("SP104", "Be brief. Do not explain the text in detail.", None),
    ("SP104", "Return only JSON. Explain your reasoning in the field 'why'.", None),
    ("SP104", "Think step by step internally, then answer with one word.", None),
    ("SP105", "# Your task\nSort it.\n# Your task\nTranslate it.", None),
    ("SP105", "Text: one two three four\nText: one two three four", None),
    ("SP105", "Translate the title {{ a }} now. Translate the title {{ b }} now.", None),
    ("SP106", "Translate the text into French. Keep the names. Do not explain. Don't add notes.", None),
    ("SP201", "Which team handles it: billing, shipping or technical?\n\n{{ message }}", ROUTING),
    ("SP201", "Sort.\n\nText: a\nLabel: billing\n\nText: {{ message }}\nLabel:", ROUTING),
    ("SP201", "How many people are mentioned?\n\n{{ text }}", NUMBER),
    ("SP201", "Sortiere die Nachricht ein.\n\n{{ message }}", ROUTING),
    ("SP202", "One of BILLING, Shipping, technical.\n\n{{ message }}", ROUTING),
    ("SP203", "Gib ein JSON-Objekt mit queue und urgent zurück.", JSON),
    ("SP204", "Gib ein JSON-Objekt mit queue und urgent zurück.", JSON),
    ("SP205", "Sort it.\nLabel: one of billing, shipping, technical\n\n{{ message }}\nLabel:", ROUTING),
    ("SP205", "Sort it.\n\nText: a\nLabel: Billing.\n\nText: {{ message }}\nLabel:", ROUTING),
    ("SP301", "Write a short summary of at most 20 words.", None),
    ("SP301", "Choose the appropriate category.", None),
    ("SP301", "Answer yes, no or maybe.", None),
    ("SP301", "Answer maybe if the text does not tell.", None),
    ("SP301", "Reply with 'maybe' or 'yes'.", None),
    ("SP301", "What kind of request is it?", None),
    ("SP301", "Summarize the various complaints.", None),
    ("SP303", "Write an answer to please the customer.", None),
    ("SP303", "Sort the letters as you please.", None),
    ("SP301", "Some messages are in German. Translate them.", None),
    ("SP302", "Note the order number and translate literally.", None),
    ("SP303", 'Say whether the customer is polite.\n\n"Please call me, thank you"\n\n{{ text }}', None),
    ("SP303", "Bitte übersetze den Text, please.", None),
    ("SP303", "Reply kindly to the customer.", None),
    ("SP304", "Translate the text. Thank you.", None),
    ("SP305", "Answer with POSITIVE, NEGATIVE or NEUTRAL. Use the NATO alphabet.", None),
    ("SP305", "# OUTPUT FORMAT AND RULES\nTranslate the text.", None),
    ("SP305", "لخّص النص التالي في ثلاث جمل ولا تضف معلومات من عندك.", None),
    ("SP401", "Translate the text into {{ language }}.\n\n<text>\n{{ text }}\n</text>\n\nKeep the names.", None),
    ("SP401", 'Translate "{{ text }}" into French.', None),
    ("SP401", "Text: {{ text }}\n\nTranslate it.", None),
    ("SP401", "Text:\n{{ text }}\n\nTranslate it.", None),
    ("SP401", "Translate the text.\n\n{{ text }}", None),
    ("SP402", "Translate {{ text\n  }} now.", None),
    ("SP403", "Text: {{ text }}\nFrench: ", None),
    ("SP404", "Text: {{ text }}\nFrench:", RAW),
    ("SP404", "Translate {{ text }}.", None),
    ("SP501", "Sort it: parcel number 4 has not come yet, where is it?\n\n{{ message }}", ROUTING),
    ("SP501", "Sort it: short -> billing\n\n{{ message }}", LintContext(cases=(Case(id="a", vars={"m": "short"}),))),
]


@pytest.mark.parametrize(("rule", "text", "context"), FOUND)
def test_finds(rule, text, context):
    assert rule in rules_of(text, context=context)


@pytest.mark.parametrize(("rule", "text", "context"), LEFT_ALONE)
def test_leaves_alone(rule, text, context):
    assert rule not in rules_of(text, context=context)


def test_every_rule_is_tested_both_ways():
    from sharpen.optimizer.analysis.registry import BY_ID

    assert {rule for rule, _, _ in FOUND} == set(BY_ID)
    assert {rule for rule, _, _ in LEFT_ALONE} == set(BY_ID)


def test_a_finding_says_where_and_what_would_be_right():
    issue = next(i for i in lint("Read.\n\nTranslate {{ mesage }}.", context=COLUMNS).issues if i.type == "SP001")
    assert (issue.line, issue.column, issue.message_index) == (3, 11, 0)
    assert issue.severity is Severity.CRITICAL
    assert issue.description == "no column of the data set fills 'mesage'"
    assert issue.suggestion == "Did you mean 'message'?"


def test_an_undefined_variable_without_a_close_name_lists_the_columns():
    issue = next(i for i in lint("Translate {{ zzz }}.", context=COLUMNS).issues if i.type == "SP001")
    assert issue.suggestion == "The data set offers: message, order."


def test_a_syntax_error_is_found_on_its_line():
    (issue,) = [i for i in lint("One.\n\nTwo {{ a b }}.").issues if i.type == "SP003"]
    assert issue.line == 3
    assert "expected" in issue.description


def test_missing_labels_are_listed_and_cut_short():
    labels = [f"label{n}" for n in range(8)]
    cases = tuple(Case(id=str(n), vars={}, expected=labels[n % 8]) for n in range(32))
    analysis = lint("Answer with the label only.", context=LintContext(assertions=(EQUALS,), cases=cases))
    (issue,) = [i for i in analysis.issues if i.type == "SP202"]
    assert issue.description.endswith("label4 and 3 more")


def test_a_scale_names_the_numbers_between():
    cases = tuple(Case(id=str(n), vars={}, expected=1 + n % 5) for n in range(20))
    context = LintContext(assertions=(EQUALS,), cases=cases)
    assert "SP202" not in rules_of("Rate the text on a scale from 1 to 5.", context=context)
    assert "SP202" in rules_of("Rate the text with a number.", context=context)


def test_answers_of_demonstration_turns_are_checked_and_their_wording_is_not():
    turns = (
        ("system", f"Choose one of: {', '.join(LABELS)}."),
        ("user", "PLEASE HELP ME NOW!!! Thank you"),
        ("assistant", "Refunds"),
        ("user", "{{ message }}"),
    )
    (issue,) = lint(*turns, context=ROUTING).issues
    assert (issue.type, issue.message_index) == ("SP205", 2)


def test_a_case_shown_in_turns_is_a_leak():
    turns = (("user", CASES[4].vars["message"]), ("assistant", CASES[4].expected), ("user", "{{ message }}"))
    assert "SP501" in rules_of(*turns, context=ROUTING)


def test_a_long_value_decides_what_is_input_when_cases_are_known():
    short = tuple(Case(id=str(n), vars={"text": "red"}) for n in range(3))
    long = tuple(Case(id=str(n), vars={"thing": "one two three four five six seven"}) for n in range(3))
    assert "SP401" not in rules_of("Paint {{ text }} walls now.", context=LintContext(cases=short))
    assert "SP401" in rules_of("Translate {{ thing }} into French.", context=LintContext(cases=long))


@pytest.mark.parametrize("comment", ["{# sharpen: ignore SP303 #}", "{#- sharpen: ignore SP301, sp303 -#}"])
def test_a_comment_silences_a_rule(comment):
    assert "SP303" not in rules_of(f"{comment}Please translate the text.")
    assert lint(f"{comment}Please translate the text.").metadata["ignored_rules"][-1] == "SP303"


def test_another_comment_silences_nothing():
    assert "SP303" in rules_of("{# ignore SP303 #}Please translate the text.")


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ("Please translate the text.", "Translate the text."),
        ("Translate the text, please.", "Translate the text."),
        ("Could you please translate it?", "Could you translate it?"),
        ("Could you, please, translate it?", "Could you translate it?"),
        ("If you can, please translate it.", "If you can, translate it."),
        ("Now, please, translate it.", "Now, translate it."),
        ("Translate it please, then sort it.", "Translate it, then sort it."),
        ("Read it and please, if you can, sort it.", "Read it and if you can, sort it."),
        (
            "I would like you to please, if you would be so kind, translate it.",
            "I would like you to please, if you would be so kind, translate it.",
        ),
        ("Sort the list.\n- Be brief.\n- Be brief.\n- Be kind.", "Sort the list.\n- Be brief.\n- Be kind."),
        ("Give some good examples of {{ topic }}.", "Give some good examples of {{ topic }}."),
        ("Hello there! Translate the text.", "Translate the text."),
        ("Translate the text. Thank you very much for your help!", "Translate the text. "),
        ("- Translate it.\n- Thank you!\n- Keep names.", "- Translate it.\n- Keep names."),
        ("It is important to note that names stay. Translate it.", "Names stay. Translate it."),
        ("Answer with the label only. Sort it. Answer with the label only.", "Answer with the label only. Sort it. "),
        ("Translate it!!!", "Translate it!"),
        ("Translate the text. \nNow.\t", "Translate the text.\nNow."),
        ("Please {{ verb }} the text and translate it.", "Please {{ verb }} the text and translate it."),
    ],
)
def test_safe_fixes(text, mended):
    prompt = prompt_of(text)
    assert apply_fixes(prompt, lint(text).issues).text == mended
