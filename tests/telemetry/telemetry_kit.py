"""A small plan on a server of the tests."""

from __future__ import annotations

from typing import Any

from servers.faulty import FaultyServer
from sharpen.config.models import RunManifest


def plan_for(server: FaultyServer, prompt: str = "say {{ x }}", answers: int = 2, **target: Any) -> RunManifest:
    return RunManifest.model_validate(
        {
            "workflow_id": "flow",
            "prompt": {"system": "Be brief.", "user": prompt},
            "target": {
                "kind": "openai",
                "model": "m",
                "base_url": server.base_url,
                "params": {"temperature": 0, "max_tokens": 8, "stop": "x", "n": 1, "logprobs": True},
                "price": {"input_usd_per_mtok": 1.0, "output_usd_per_mtok": 2.0},
                **target,
            },
            "dataset": [{"id": f"c{n}", "vars": {"x": n}} for n in range(answers)],
            "assertions": [{"type": "contains", "value": "o"}],
            "execution": {"concurrency": 1},
        }
    )
