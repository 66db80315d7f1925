"""A shorter version of a prompt by the rewriter: the same placeholders, and nothing of the answer's form left out.

Whether it still does what the prompt did, the race and the proof of non-inferiority say; what is checked here is what
can be seen in the text.
"""

from __future__ import annotations

from sharpen.optimizer.models import Change, Prompt
from sharpen.optimizer.strategies.asking import parse_reply, rules_for, shown_template
from sharpen.optimizer.strategies.base import Candidate, StrategyContext
from sharpen.optimizer.strategies.edits import keeps_placeholders, read
from sharpen.targets.base import Message, TargetError

GOALS = ("half its length", "as few words as it can be said in")
SHORTER = 0.9
"""Of the characters, at most, is shorter: what saves less is not worth a place in the race."""

INSTRUCTIONS = """\
You shorten prompts for language models. Below is a prompt template. Write it anew in {goal}, so that the answers it
leads to stay the same: every rule, every allowed answer and the form of the answer must still be there.
"""


async def compressed(context: StrategyContext, goal: str, strategy: str) -> Candidate | None:
    """A shorter prompt; None without a rewriter, or when its reply is no shorter, or loses a placeholder or a label."""
    if context.rewrite is None:
        return None
    question = (
        Message("system", INSTRUCTIONS.format(goal=goal) + rules_for(context.prompt)),
        Message("user", f"The template:\n{shown_template(context.prompt)}"),
    )
    try:
        new = parse_reply(await context.rewrite(question), context.prompt)
    except TargetError:  # a failing rewriter costs a candidate, not the search
        return None
    if new is None or len(new.text) > SHORTER * len(context.prompt.text) or not _whole(context, new):
        return None
    saved = 1 - len(new.text) / len(context.prompt.text)
    reason = f"a model said it in {saved:.0%} fewer characters ({goal})"
    change = Change(rule_id="efficiency/model", reason=reason, before=context.prompt.text, after=new.text)
    return Candidate(prompt=new, strategy=strategy, changes=(change,))


def _whole(context: StrategyContext, new: Prompt) -> bool:
    """Every placeholder is still there, and every label and key of the contract that the prompt named."""
    if not keeps_placeholders(context.prompt, new):
        return False
    contract = read(context).contract
    named = (*contract.labels, *(key.name for key in contract.keys)) if contract else ()
    before, after = context.prompt.text.casefold(), new.text.casefold()
    return all(name.casefold() in after for name in named if name.casefold() in before)
