"""A verdict moves an alias: by compare-and-set, with a record of why, and only from what was tested against."""

from __future__ import annotations

from dataclasses import dataclass

from sharpen.errors import UserError, VersionConflictError
from sharpen.experiments.experiment import Experiment
from sharpen.experiments.models import ExperimentReport, Promotion
from sharpen.optimizer.models import Prompt
from sharpen.versions.models import PromptVersion
from sharpen.versions.provenance import provenance_of
from sharpen.versions.version_manager import VersionManager
from sharpen.wiring.ab_variants import Variant


@dataclass(frozen=True, slots=True)
class _Control:
    """What was tested against: its prompt's hash (None: it is unknown), and what it is called."""

    label: str
    content_hash: str | None


def promote_version(
    versions: VersionManager, workflow_id: str, alias: str, winner: str, control: _Control, report: ExperimentReport
) -> Promotion:
    """Move ``alias`` to the version ``winner``.

    Not when it points at another prompt than those two (somebody released it meanwhile: nothing is known of that one),
    and not against somebody who moves it at the same moment.
    """
    current = versions.aliases(workflow_id).get(alias)
    why = f"A/B test {report.id}: {report.headline}. {report.reason}"
    if current is not None:
        live = versions.get(workflow_id, current).content_hash
        tested = live == control.content_hash
        if current == winner or (live == versions.get(workflow_id, winner).content_hash and not tested):
            return Promotion(alias=alias, version=current, previous=current, reason=f"{alias} points there already")
        if not tested:
            return Promotion(
                alias=alias,
                previous=current,
                reason=f"not moved: {alias} points at {current}, and the test was against {control.label}",
            )
    try:
        versions.tag(workflow_id, winner, alias, expected_current=current or "", reason=why, actor="sharpen ab")
    except (VersionConflictError, UserError) as error:
        return Promotion(alias=alias, previous=current, reason=f"not moved: {error}")
    return Promotion(alias=alias, version=winner, previous=current, reason=why)


def promote_variant(
    versions: VersionManager, alias: str, winner: Variant, control: Variant, report: ExperimentReport
) -> Promotion:
    """Move an alias of the plan's workflow to the winner; a prompt that is no version yet becomes one."""
    manifest = winner.plan.manifest
    if manifest.target != control.plan.manifest.target:
        return Promotion(
            alias=alias,
            reason=f"not moved: an alias names a prompt, and {winner.name} ({winner.label}) is another target, too",
        )
    workflow_id = manifest.workflow_id
    version = winner.version or _number(versions.find_by_content(workflow_id, manifest.prompt.content_hash))
    if version is None:
        estimate = next(one.estimate for one in report.comparisons if one.variant == winner.name)
        sides = (control.name, winner.name)  # either side is evidence: what a version rests on is never pruned
        runs = tuple(run_id for one in report.variants if one.name in sides for run_id in one.run_ids)
        version = versions.create(
            workflow_id,
            Prompt.of(manifest.prompt, id=workflow_id, workflow_id=workflow_id),
            improvement=estimate * 100,
            run_ids=runs,
            message=f"won A/B test {report.id} against {control.label}",
            provenance=provenance_of(manifest),
        ).version
    against = _Control(control.version or control.label, control.plan.manifest.prompt.content_hash)
    return promote_version(versions, workflow_id, alias, version, against, report)


def promoter(versions: VersionManager) -> _Promoter:
    """What an ``ExperimentBook`` calls when an experiment with an alias is won."""
    return _Promoter(versions)


def check_promotable(versions: VersionManager, experiment: Experiment) -> None:
    """Whether a win could move the alias that the experiment names. Raises ``UserError`` that names the variant.

    The control may be what was never a version only as long as the alias points nowhere.
    """
    alias, workflow_id = experiment.promote or "", experiment.workflow_id or ""
    taken = alias in versions.aliases(workflow_id)
    for name, what in experiment.variants.items():
        if name == experiment.control and not taken:
            continue
        try:
            found = versions.get(workflow_id, what)
        except UserError as error:
            raise UserError(f"variant {name!r} could not be promoted to {alias!r}: {error}") from None
        if name == experiment.control and found.version != what:
            raise UserError(
                f"variant {name!r} is {what!r}, which may point elsewhere when the experiment ends; to promote "
                f"{alias!r} it takes the control's version by number, such as {found.version!r}"
            )


class _Promoter:
    def __init__(self, versions: VersionManager) -> None:
        self._versions = versions

    def __call__(self, experiment: Experiment, report: ExperimentReport) -> Promotion:
        alias, workflow_id = experiment.promote or "", experiment.workflow_id or ""
        winner = experiment.variants[report.winner or ""]
        control = experiment.variants[experiment.control]
        try:
            target = self._versions.get(workflow_id, winner).version
        except UserError as error:
            return Promotion(alias=alias, reason=f"not moved: {error}")
        return promote_version(self._versions, workflow_id, alias, target, self._control(workflow_id, control), report)

    def _control(self, workflow_id: str, named: str) -> _Control:
        """Only by its number: an alias may point elsewhere by now, and other names were never a version."""
        found = next((version for version in self._versions.list(workflow_id) if version.version == named), None)
        return _Control(named, None if found is None else found.content_hash)


def _number(version: PromptVersion | None) -> str | None:
    return None if version is None or version.kind == "draft" else version.version
