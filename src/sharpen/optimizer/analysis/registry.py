"""The table of all rules."""

from __future__ import annotations

from sharpen.errors import UnknownNameError
from sharpen.optimizer.analysis.rules import form, layout, leaks, task, template, wording
from sharpen.optimizer.analysis.rules.base import Rule

RULES: tuple[Rule, ...] = (
    *template.RULES,
    *task.RULES,
    *form.RULES,
    *wording.RULES,
    *layout.RULES,
    *leaks.RULES,
)
BY_ID: dict[str, Rule] = {rule.id: rule for rule in RULES}


def find_rule(rule_id: str) -> Rule:
    """The rule with this id or name. Raises ``UnknownNameError`` with the ids there are."""
    wanted = rule_id.strip()
    for rule in RULES:
        if wanted.upper() == rule.id or wanted.lower() == rule.name:
            return rule
    raise UnknownNameError("rule", rule_id, BY_ID)
