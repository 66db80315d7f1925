"""A version as files that read well in a pull request: the prompt with its record, and its evidence beside it. Pure.

::

    triage/1.1.0.md      front matter (the record: parent, kind, hashes, provenance, …), then the prompt, in sections
    triage/1.1.0.json    figures, proof and changes; not there when there are none

The Markdown file is a prompt file as a plan may name it. What Markdown or YAML would not bring back exactly (a message
that begins with a blank line, a lone surrogate) stands in the JSON file too, which then counts.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sharpen.config.prompt_files import PromptFile, split_prompt
from sharpen.config.prompts import PromptMessage
from sharpen.errors import PlanError, StoreError
from sharpen.versions.integrity import verified
from sharpen.versions.models import PromptVersion

_EVIDENCE = ("metrics", "verification", "changes", "metadata")
_FIRST = ("version", "kind", "parent", "created_at", "improvement", "message")
_LONGEST_NAME = 200
"""In bytes; most file systems take 255 for a name, and some sync tools add to it."""
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
ELSEWHERE = "(in the JSON file)"
_EDITED = (
    "the file was edited after it was exported; `sharpen versions create FILE` makes a new version of an edited "
    "prompt, and without the file an export writes it as it was"
)


def prompt_text(messages: Sequence[PromptMessage]) -> str:
    """A prompt as a file that a plan can name: in sections unless it is one user message that is read as that alone."""
    if len(messages) == 1 and messages[0].role == "user":
        text = messages[0].content
        alone = [(section.role, section.content.strip()) for section in _split(text, "").sections]
        if alone == [("user", text.strip())]:  # not if it begins like front matter, or holds headings
            return text
    return _sections(messages)


def _sections(messages: Sequence[PromptMessage]) -> str:
    return "\n\n".join(f"# {message.role}\n\n{message.content}" for message in messages)


def directory_name(workflow_id: str) -> str:
    """A workflow's name as that of a directory: what is no letter, digit or one of ``-_.`` as %-escapes of UTF-8.

    So are a dot at either end and the first letter of a name that Windows keeps for its devices. Of a long name the
    beginning is kept, with a hash of the whole.
    """

    def escaped(letter: str) -> str:
        return "".join(f"%{byte:02X}" for byte in letter.encode("utf-8", "surrogatepass"))

    plain = "".join(c if c.isalnum() or c in "-_." else escaped(c) for c in workflow_id)
    if plain.startswith(".") or _DEVICE.fullmatch(plain):
        plain = escaped(plain[0]) + plain[1:]
    if plain.endswith("."):
        plain = plain[:-1] + escaped(".")
    if len(plain.encode()) > _LONGEST_NAME:
        whole = hashlib.sha256(workflow_id.encode("utf-8", "surrogatepass")).hexdigest()
        plain = plain.encode()[: _LONGEST_NAME - 17].decode("utf-8", "ignore") + f"-{whole[:16]}"
    return plain


def to_files(version: PromptVersion) -> dict[str, str]:
    """The files of a version, by the ending of their names: ``.md`` always, ``.json`` when there is evidence."""
    record = version.model_dump(mode="json", exclude_defaults=True)
    messages = record["prompt"].pop("messages")
    record["prompt"]["workflow_id"] = version.prompt.workflow_id
    if version.prompt.workflow_id == version.workflow_id:  # as nearly always: nothing that people need to read
        del record["prompt"]["workflow_id"]
    beside = {name: record.pop(name) for name in _EVIDENCE if name in record}
    beside |= {name: value for name, value in record.items() if not _survives({name: value})}
    record = {name: ELSEWHERE if name in beside else record[name] for name in (*_FIRST, *record) if name in record}
    text = _markdown(record, version.prompt.messages)
    found = _split(text, "")
    if found.problems or _messages(found) != messages or not _encodable(text):
        beside["messages"] = messages
    files = {".md": text.encode("utf-8", "replace").decode()}
    if beside:
        files[".json"] = json.dumps(beside, indent=2, ensure_ascii=not _encodable(beside)) + "\n"
    return files


def from_files(name: str, markdown: str, beside: str | None) -> PromptVersion | None:
    """The version that these files hold; None when the Markdown file is none of a version. ``name``: for messages.

    Raises ``StoreError`` when they were edited or belong to something else, ``PlanError`` when it is no prompt file.
    """
    found = _split(markdown, name)
    record = found.front_matter.get("metadata")
    if not isinstance(record, dict) or not {"workflow_id", "version", "content_hash"} <= record.keys():
        if found.problems and "content_hash:" in markdown:  # one of ours all the same, with a merge conflict maybe
            raise PlanError(found.problems)
        return None
    exact = _beside(name, beside)
    messages = exact.pop("messages", None)
    if messages is None and found.problems:
        raise PlanError(found.problems)
    data = {**record, **exact}
    prompt = data.get("prompt", {})
    if not isinstance(prompt, dict):
        raise StoreError(f"{name!r} is no exported version: prompt: a mapping is expected")
    prompt = {"workflow_id": data["workflow_id"], **prompt}
    data["prompt"] = {**prompt, "messages": _messages(found) if messages is None else messages}
    try:
        version = verified(PromptVersion.model_validate(data))
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise StoreError(f"{name!r} is no exported version: {where}: {error.errors()[0]['msg']}") from None
    except StoreError as error:
        missing = "" if beside else f"; or its JSON file is missing beside {name!r}"
        raise StoreError(f"{name!r}: {error}; {_EDITED}{missing}") from None
    if messages is not None:
        exported = _split(_markdown(record, version.prompt.messages).encode("utf-8", "replace").decode(), name)
        if _messages(exported) != _messages(found):
            raise StoreError(f"{name!r}: {_EDITED}")
    return version


def _beside(name: str, text: str | None) -> dict[str, Any]:
    """What the JSON file says; nothing when there is none."""
    try:
        data = json.loads(text) if text else {}
    except (ValueError, RecursionError) as error:
        raise StoreError(f"the JSON file beside {name!r} is no JSON: {error}; export the version anew") from None
    if not isinstance(data, dict):
        raise StoreError(f"the JSON file beside {name!r} is no JSON object; export the version anew")
    return data


def _markdown(record: Mapping[str, Any], messages: Sequence[PromptMessage]) -> str:
    front = {"name": record["workflow_id"], "version": record["version"], "metadata": record}
    return f"{_front_matter(front)}\n{_sections(messages)}\n"


def _front_matter(data: Mapping[str, Any]) -> str:
    import yaml

    text = yaml.safe_dump(dict(data), allow_unicode=True, sort_keys=False, width=110)
    return f"---\n{text}---\n"


def _survives(metadata: Mapping[str, Any]) -> bool:
    """Whether YAML brings it back exactly."""
    text = _front_matter({"metadata": dict(metadata)})
    return _encodable(text) and _split(text, "").front_matter.get("metadata") == metadata


def _split(text: str, name: str) -> PromptFile:
    return split_prompt(text.replace("\r\n", "\n").replace("\r", "\n"), Path(name or "version.md"))


def _messages(found: PromptFile) -> list[dict[str, str]]:
    return [{"role": section.role, "content": section.content} for section in found.sections]


def _encodable(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
