"""What all questions to the rewriter have in common: templates and cases as it is shown them, and what it may reply.

Inputs and answers are hostile: they stand between tags that nothing inside them can close.
"""

from __future__ import annotations

import json
import re
from typing import get_args

from pydantic import ValidationError

from sharpen.config.prompts import PromptMessage, Role
from sharpen.errors import TemplateError
from sharpen.optimizer.models import Prompt
from sharpen.optimizer.ports import CaseOutcome, LabelledCase

LONGEST_SHOWN = 600  # characters of one input or output

RULES = """\
- Keep every placeholder such as {placeholders} exactly as it is.
- Do not quote the cases themselves.
- Reply with the new template only, in the same form: each message between <message role="..."> and </message>.
"""

_MESSAGE = re.compile(r"<message\s+role=\"?(\w+)\"?\s*>\n?(.*?)\n?</message>", re.DOTALL)


def rules_for(prompt: Prompt) -> str:
    """What every reply must keep to."""
    placeholders = ", ".join(f"{{{{ {name} }}}}" for name in sorted(prompt.variables)) or "(none)"
    return RULES.format(placeholders=placeholders)


def shown_template(prompt: Prompt) -> str:
    """The prompt as it is to be replied."""
    return "\n".join(f'<message role="{m.role}">\n{m.content}\n</message>' for m in prompt.messages)


def shown_case(case: LabelledCase, outcome: CaseOutcome | None = None) -> str:
    """A case as data: input and expected answer and, with an outcome, what was answered and why that is wrong."""
    parts = {"input": json.dumps(case.variables, ensure_ascii=False, default=str)[:LONGEST_SHOWN]}
    if outcome is not None:
        parts["answer"] = (outcome.output or "(none)")[:LONGEST_SHOWN]
    if case.expected is not None:
        parts["expected"] = json.dumps(case.expected, ensure_ascii=False, default=str)
    if outcome is not None:
        parts["wrong because"] = "; ".join(outcome.reasons)[:LONGEST_SHOWN]
    return as_data("\n".join(f"{name}: {text}" for name, text in parts.items() if text))


def as_data(text: str) -> str:
    """``text`` between tags that it cannot close."""
    defused = re.sub(r"<(/?)(data|message)", r"‹\1\2", text, flags=re.IGNORECASE)
    return f"<data>\n{defused}\n</data>"


def parse_reply(reply: str, prompt: Prompt) -> Prompt | None:
    """The prompt in a rewriter's reply; None when it is unusable: unchanged, broken, or with other placeholders."""
    found = _MESSAGE.findall(reply)
    if not found and len(prompt.messages) == 1:  # small models forget the tags; one message needs none
        text = re.sub(r"^```\w*\n|\n```$", "", reply.strip())
        found = [(prompt.messages[0].role, text)]
    if not found or any(role not in get_args(Role) or not content.strip() for role, content in found):
        return None
    try:
        new = prompt.with_messages(tuple(PromptMessage(role=role, content=content) for role, content in found))
        same_variables = new.variables == prompt.variables
    except (TemplateError, ValidationError):
        return None
    return new if same_variables and new.content_hash != prompt.content_hash else None
