"""What a search should prefer when a candidate is better in one respect and worse in another."""

from __future__ import annotations

from pydantic import Field

from sharpen.config.base import Float, PlanPart


class Weights(PlanPart):
    """What a point of pass rate and what a saving is worth. Left out: the pass rate decides, tokens break ties.

    score = quality × (pass rate − the prompt's) + Σ weight × (1 − figure ÷ the prompt's figure)
    """

    quality: Float = Field(default=1.0, gt=0, description="Of the difference in pass rate (0.1: ten points).")
    tokens: Float = Field(default=0.0, ge=0, description="Of the share of tokens that is saved (0.1: ten percent).")
    cost: Float = Field(default=0.0, ge=0, description="Of the share of USD that is saved; needs a known price.")
    latency: Float = Field(default=0.0, ge=0, description="Of the share of mean time for an answer that is saved.")

    @property
    def savings(self) -> dict[str, float]:
        """The weights of what is to be saved, by name; those that count for nothing left out."""
        found = {"tokens": self.tokens, "cost": self.cost, "latency": self.latency}
        return {name: weight for name, weight in found.items() if weight > 0}

    def __str__(self) -> str:
        return ", ".join(f"{name} {weight:g}" for name, weight in ({"quality": self.quality} | self.savings).items())
