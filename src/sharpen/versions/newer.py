"""A plan's prompt beside the versions that are kept: is it still the one that people use?"""

from __future__ import annotations

from sharpen.optimizer.models import Prompt
from sharpen.versions.version_manager import VersionManager

PRODUCTION = "production"


def newer_than(versions: VersionManager, prompt: Prompt, search_id: str) -> tuple[str, ...]:
    """A sentence on the latest version and one on that in production, where either is another prompt than the plan's.

    Candidates are compared with the plan's prompt alone, so that a gain over it may be none over these. What the search
    ``search_id`` kept itself, before it was cut off, is not meant.
    """
    workflow_id = prompt.workflow_id
    latest, live = versions.latest(workflow_id), versions.aliases(workflow_id).get(PRODUCTION)
    roles: dict[str, str] = {latest.version: "latest"} if latest else {}
    if live is not None:
        roles[live] = f"{roles[live]}, {PRODUCTION}" if live in roles else PRODUCTION
    own = versions.find_by_content(workflow_id, prompt.content_hash)
    plans = f"the plan's prompt, {own.version}" if own else "the plan's prompt"
    found = []
    for number, role in roles.items():
        version = versions.get(workflow_id, number)
        kept_here = any(run_id.startswith(search_id) for run_id in version.run_ids)
        if version.content_hash == prompt.content_hash or kept_here:
            continue
        relation = "is newer than" if own and own.created_at < version.created_at else "is another prompt than"
        found.append(
            f"version {number} ({role}) {relation} {plans}: candidates are compared with the plan's alone; "
            f"`sharpen versions show {workflow_id} {number} --format prompt` prints it"
        )
    return tuple(found)
