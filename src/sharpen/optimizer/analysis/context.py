"""What the analysis may know besides the prompt itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sharpen.config.assertions import AssertionPart
from sharpen.config.models import Case
from sharpen.optimizer.ports import LabelledCase


@dataclass(frozen=True, slots=True)
class LintContext:
    """The rest of the plan; what is left out is not judged.

    ``columns`` are the variables the data set offers, ``cases`` a sample of it (a few hundred are plenty), ``api`` how
    the prompt is sent: ``chat`` or ``completions`` (all messages as one raw text).
    """

    assertions: Sequence[AssertionPart] = ()
    columns: frozenset[str] | None = None
    cases: Sequence[Case | LabelledCase] | None = None
    api: str = "chat"
