"""A rule explained: for `sharpen lint --explain` and for the documentation."""

from __future__ import annotations

from sharpen.optimizer.analysis.registry import RULES, find_rule
from sharpen.optimizer.analysis.rules.base import Rule

_SCORE = {
    "clarity": "Lowers the clarity score.",
    "efficiency": "Shows what lowers the efficiency score, which is measured on the text itself.",
    "": "Changes no score.",
}


def explain(rule_id: str) -> str:
    """What the rule finds, why it matters and how to mend it, as Markdown.

    Raises ``UnknownNameError`` for an id (or name) of no rule.
    """
    return _section(find_rule(rule_id))


def catalogue() -> str:
    """All rules as one Markdown page: the text of ``docs/lint-rules.md``."""
    table = "\n".join(f"| {r.id} | {r.name} | {r.severity.value} | {_languages(r)} | {_found(r)} |" for r in RULES)
    sections = "\n".join(_section(rule) for rule in RULES)
    return f"{_HEAD}| Rule | Name | Severity | Reads | Finds |\n|---|---|---|---|---|\n{table}\n\n{sections}"


def _section(rule: Rule) -> str:
    facts = f"Severity: {rule.severity.value}. Reads: {_languages(rule)}. {_SCORE[rule.lowers]}"
    parts = (
        f"## {rule.id} {rule.name}",
        _found(rule),
        facts,
        f"**Why.** {rule.why}",
        f"**How to mend it.** {rule.mend}",
    )
    return "\n\n".join(parts) + "\n"


def _found(rule: Rule) -> str:
    return " ".join((rule.check.__doc__ or rule.name).split())


def _languages(rule: Rule) -> str:
    return "English only" if rule.languages else "any language"


_HEAD = """# Lint rules

`sharpen lint` reads prompts and calls nothing. Rules that need English are silent when the prompt is not clearly
English. Rules that need the plan (columns, assertions, cases) are silent when there is none.

`[*]` behind a rule's id marks a finding that can be mended without changing what the prompt asks.

To silence a rule, put a Jinja comment anywhere in the prompt; it is not sent to the model:

```
{# sharpen: ignore SP303 #}
{# sharpen: ignore SP301, SP302 #}
```

"""
