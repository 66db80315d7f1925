"""What the reader is told of a rewriter that was of no use, and that it cannot touch what the proof needs."""

import pytest

from sharpen.errors import ErrorKind
from sharpen.optimizer.models import Change, Prompt
from sharpen.optimizer.search import Contender
from sharpen.optimizer.strategies.base import Candidate
from sharpen.optimizer.watched_rewriter import WatchedRewriter
from sharpen.targets.base import Failure, TargetError

PROMPT = Prompt.model_validate({"id": "p", "messages": [{"role": "user", "content": "seed {{ x }}"}]})


def contender(rule_id: str) -> Contender:
    return Contender("c01", Candidate(PROMPT, "rewrite", (Change(rule_id=rule_id, reason="why"),)))


async def nonsense(_messages):
    return "{{"


async def down(_messages):
    raise TargetError(Failure(ErrorKind.SERVER, "out of order"))


async def test_a_rewriter_that_fails_is_told_with_its_reason():
    rewriter = WatchedRewriter(lambda: None, down)
    for _ in range(3):
        with pytest.raises(TargetError):
            await rewriter(())
    assert rewriter.told([]) == ["the rewriter failed in 3 of 3 calls: out of order"]
    assert rewriter.told(None) == rewriter.told([])


async def test_replies_of_no_use_are_told_where_it_is_known_what_came_of_them():
    rewriter = WatchedRewriter(lambda: None, nonsense)
    assert rewriter.told([]) == []
    await rewriter(())
    told = ["no candidate came of 1 reply of the rewriter: none was a new template that fits"]
    assert rewriter.told([contender("clarity/task")]) == told
    assert rewriter.told([contender("rewrite/failures")]) == []
    assert rewriter.told(None) == []


async def test_what_the_proof_needs_is_refused_and_is_no_failure_of_the_rewriter():
    rewriter = WatchedRewriter(lambda: 0, nonsense)
    with pytest.raises(TargetError) as refused:
        await rewriter(())
    assert refused.value.failure.kind is ErrorKind.BUDGET
    assert rewriter.told([]) == []
