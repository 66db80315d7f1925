"""Versions as files, and back."""

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sharpen.config.prompt_files import read_prompt
from sharpen.config.prompts import PromptMessage
from sharpen.errors import PlanError, StoreError
from sharpen.optimizer.models import Prompt
from sharpen.testing.version_suite import make_prompt, make_version
from sharpen.versions.files import directory_name, from_files, prompt_text, to_files
from sharpen.versions.integrity import sealed
from sharpen.versions.models import PromptVersion
from sharpen.versions.provenance import Provenance

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=30) | st.sampled_from(
    [
        "# user",
        "---\nrole: x\n---\n",
        "```\n# user\n```",
        " lead",
        "trail \n",
        "a\r\nb",
        "\ud800",
        "\x00",
        "{% if %}",
        "",
    ]
)
MESSAGES = st.lists(st.builds(PromptMessage, role=st.sampled_from(["system", "user", "assistant"]), content=ANY_TEXT),
                    min_size=1, max_size=3)  # fmt: skip


def back(files, name="triage/1.0.0.md"):
    return from_files(name, files[".md"], files.get(".json"))


def version_of(messages, message="", workflow_id="triage"):
    prompt = Prompt(id="p", workflow_id=workflow_id, messages=tuple(messages))
    return sealed(
        PromptVersion(
            workflow_id=workflow_id,
            version="1.2.0",
            prompt=prompt,
            content_hash=prompt.content_hash,
            message=message,
        )
    )


def test_a_version_with_everything_comes_back_equal():
    provenance = Provenance(plan_hash="ab", dataset_hash="cd", target="openai", model="m", parameters={"top_p": 0.1})
    version = sealed(make_version().model_copy(update={"provenance": provenance}))
    files = to_files(version)
    assert set(files) == {".md", ".json"}
    assert back(files) == version


@pytest.mark.parametrize("workflow_id", ["", "another"])
def test_a_prompt_that_names_no_workflow_or_another_stays_as_it_is(workflow_id):
    version = version_of(make_prompt().messages)
    version = sealed(
        version.model_copy(update={"prompt": version.prompt.model_copy(update={"workflow_id": workflow_id})})
    )
    assert back(to_files(version)) == version


def test_the_file_reads_well_and_is_a_prompt_file(tmp_path):
    version = version_of(make_prompt().messages, "says “why”")
    files = to_files(version)
    assert set(files) == {".md"}  # no evidence, no second file
    lines = files[".md"].split("\n")
    assert lines[:5] == ["---", "name: triage", "version: 1.2.0", "metadata:", "  version: 1.2.0"]
    assert "  message: says “why”" in lines
    (tmp_path / "p.md").write_text(files[".md"], "utf-8")
    found = read_prompt(tmp_path / "p.md")
    assert found.template().messages == version.prompt.messages


@settings(max_examples=150, deadline=None)
@given(MESSAGES, ANY_TEXT, ANY_TEXT.filter(bool))
@example([PromptMessage(role="user", content="\n\nblank lines around\n\n")], "", "w")
@example([PromptMessage(role="user", content="")], "2026-01-01", "1.10")
@example([PromptMessage(role="user", content="x")], "yes", "null")
def test_any_version_comes_back_equal(messages, message, workflow_id):
    version = version_of(messages, message, workflow_id)
    files = {ending: text.encode("utf-8").decode("utf-8") for ending, text in to_files(version).items()}
    assert back(files) == version


def test_an_edited_prompt_is_noticed():
    files = to_files(version_of([PromptMessage(role="user", content="Sort it.")]))
    files[".md"] = files[".md"].replace("Sort it.", "Sort it well.")
    with pytest.raises(StoreError, match=r"1\.0\.0\.md.*altered.*versions create"):
        back(files)


def test_an_edit_of_a_prompt_that_stands_in_the_json_file_is_noticed():
    files = to_files(version_of([PromptMessage(role="user", content="\nSort it.")]))
    assert json.loads(files[".json"])["messages"][0]["content"] == "\nSort it."
    files[".md"] = files[".md"].replace("Sort it.", "Sort it well.")
    with pytest.raises(StoreError, match="edited"):
        back(files)


@pytest.mark.parametrize("field", ["message", "improvement", "metrics"])
def test_edited_evidence_is_noticed(field):
    version = sealed(make_version())
    files = to_files(version)
    edited = {"message": ("first", "third"), "improvement": ("12.345678901234567", "99.0"),
              "metrics": ('"cases": 7', '"cases": 700')}[field]  # fmt: skip
    changed = {ending: text.replace(*edited) for ending, text in files.items()}
    assert changed != files
    with pytest.raises(StoreError, match="altered"):
        back(changed)


def test_what_is_none_of_ours_or_broken():
    files = to_files(sealed(make_version()))
    assert from_files("README.md", "# Read me\n", None) is None
    assert from_files("p.md", "---\nname: x\n---\nHello", None) is None
    with pytest.raises(StoreError, match="is no JSON"):
        from_files("a.md", files[".md"], "{")
    with pytest.raises(StoreError, match="JSON file is missing"):
        from_files("a.md", files[".md"], None)
    with pytest.raises(StoreError, match="kind"):
        from_files("a.md", files[".md"].replace("kind: optimized", "kind: wonderful"), files[".json"])
    with pytest.raises(PlanError, match="unknown front matter key"):
        from_files("a.md", files[".md"].replace("name: triage", "nam: triage"), files[".json"])


def test_a_record_kept_before_records_were_hashed_comes_back_too():
    version = make_version()
    assert version.record_hash == ""
    assert back(to_files(version)) == version


@given(ANY_TEXT.filter(bool), ANY_TEXT.filter(bool))
def test_directories_are_safe_and_apart(one, other):
    name = directory_name(one)
    assert name not in {"", ".", ".."}
    assert not set(name) & set("/\\\0:")
    assert not name.startswith(".")
    assert (name == directory_name(other)) == (one == other)


def test_one_user_message_is_its_text_alone():
    assert prompt_text([PromptMessage(role="user", content="x")]) == "x"
    assert prompt_text([PromptMessage(role="system", content="x")]) == "# system\n\nx"


@pytest.mark.parametrize("text", ["---\nfoo: bar\n---\n{{ x }}", "---\nnever closed"])
def test_a_user_message_that_would_be_read_as_something_else_stands_in_a_section(text, tmp_path):
    (tmp_path / "p.md").write_text(prompt_text([PromptMessage(role="user", content=text)]) + "\n", "utf-8")
    found = read_prompt(tmp_path / "p.md")
    assert [(section.role, section.content) for section in found.sections] == [("user", text)]


def test_directories_have_names_that_windows_and_file_systems_take():
    assert directory_name("con") == "%63on"
    assert directory_name("COM1.txt") == "%43OM1.txt"
    assert directory_name("console") == "console"
    assert directory_name("ends.") == "ends%2E"
    assert directory_name(".") == "%2E"
    assert directory_name("..") == "%2E%2E"
    long = directory_name("ü" * 300)
    assert len(long.encode()) <= 200
    assert long != directory_name("ü" * 301)
