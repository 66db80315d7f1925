"""``compare`` and flakiness: what a store holds of two runs, read in case order and handed to the pure comparison."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice

from sharpen.config.prompts import PromptTemplate
from sharpen.errors import SharpenError, UserError
from sharpen.history.case_tally import CaseTally
from sharpen.history.flakiness import FlakinessFold
from sharpen.history.models import ComparedRun, Comparison, DataSetMatch, Flakiness
from sharpen.history.run_differences import RunFacts, differences
from sharpen.optimizer.proof.units import case_key, group_of
from sharpen.storage.case_tallies import CaseTallies, StoredTally
from sharpen.storage.pruning import PRUNED_AT
from sharpen.storage.records import RunPoint, RunRecord
from sharpen.storage.store import Store
from sharpen.versions.by_content import VersionsByContent
from sharpen.versions.comparison import diff_prompts
from sharpen.versions.models import PromptVersion
from sharpen.wiring.stored_plans import manifest_of
from sharpen.wiring.stores import NO_VERSION, version_manager, version_names

IDS_KEPT = 20
"""So many ids are named of cases that cannot be paired."""
POOLED = 10
"""So many runs at most are looked at for cases that flip between runs of the same prompt."""
SHOWN_PURPOSES = ("run", "baseline")


def compare_runs(first: str, second: str, store: Store, alpha: float = 0.05, seed: int = 0) -> Comparison:
    """Two runs, paired by case. A side is a run's id or a beginning of it, or ``WORKFLOW@VERSION`` (``@production``).

    Read page by page, however large the runs are. Raises ``UserError`` for sides that do not exist and for runs that
    share no case which both ran.
    """
    from sharpen.history.comparing import ComparisonFold  # numpy is behind it, and every run asks this module, too

    old, new = (store.runs.get(run_id) for run_id in _resolved(first, second, store))
    readers = CaseTallies(store.database, old.run_id), CaseTallies(store.database, new.run_id)
    pools = _pool(old, store), _pool(new, store)
    groups, notes = _groups((new, old))
    if old.run_id == new.run_id:
        notes.append(f"Both sides are the same run: {first!r} and {second!r} name {old.run_id}.")
    fold = ComparisonFold(alpha, seed)
    changed, unfinished = _Some(), _Some()
    for before, after, elsewhere in _pairs(readers, pools, store):
        case_id = before.tally.case_id
        if not before.same_case(after):
            changed.add(case_id)
        elif not (before.tally.runs and after.tally.runs):
            unfinished.add(case_id)
        else:
            fold.add(before.tally, after.tally, groups.get(case_id), elsewhere)
    if not fold.paired:
        if gone := {repr(record.run_id): None for record in (old, new) if PRUNED_AT in record.metadata}:
            raise UserError(
                f"the results of {' and '.join(gone)} were dropped by `sharpen store prune`: there are no cases to "
                "compare; `sharpen runs show RUN` has the figures"
            )
        other = f" ({changed.number} of the same id are other cases)" if changed.number else ""
        raise UserError(
            f"runs {old.run_id!r} and {new.run_id!r} share no case that both ran; nothing to compare{other}"
        )
    only_first, only_second = readers[0].missing_in(readers[1], IDS_KEPT), readers[1].missing_in(readers[0], IDS_KEPT)
    data = DataSetMatch(
        paired=fold.paired,
        only_first=only_first[0],
        only_second=only_second[0],
        changed=changed.number,
        unfinished=unfinished.number,
        only_first_ids=only_first[1],
        only_second_ids=only_second[1],
        changed_ids=tuple(changed.ids),
        unfinished_ids=tuple(unfinished.ids),
    )
    found = differences(_facts(old, store), _facts(new, store), data)
    sides = _side(old, first, store), _side(new, second, store)
    return fold.comparison(*sides, data, found, pools, notes, _prompt_diff(old, new))


def flakiness_of_run(run_id: str, store: Store, alpha: float = 0.05, *, by_repeats: bool = False) -> Flakiness | None:
    """How steady a run's cases are: by its repeats, else by other runs with the same prompt, model and cases.

    None when no case was asked more than once. ``by_repeats``: other runs are not looked at.
    """
    record = store.runs.get(run_id)
    if by_repeats and _repeats(record) == 1:
        return None
    pool = _pool(record, store)
    fold = FlakinessFold(alpha)
    readers = [CaseTallies(store.database, one, fresh=len(pool) > 1) for one in pool]
    for page in readers[0].pages():
        others = [reader.of(page) for reader in readers[1:]]
        for case_id, stored in page.items():
            fold.add(_pooled(stored, [other.get(case_id) for other in others]))
    return fold.found(pool)


class _Some:
    """Counts ids, keeps the first of them."""

    def __init__(self) -> None:
        self.number = 0
        self.ids: list[str] = []

    def add(self, case_id: str) -> None:
        self.number += 1
        if len(self.ids) < IDS_KEPT:
            self.ids.append(case_id)


def _pairs(
    readers: tuple[CaseTallies, CaseTallies], pools: tuple[Sequence[str], Sequence[str]], store: Store
) -> Iterator[tuple[StoredTally, StoredTally, tuple[CaseTally | None, CaseTally | None]]]:
    """The cases that both runs have, in the order of the first, with what is known of each from other runs."""
    fresh = {
        run_id: CaseTallies(store.database, run_id, fresh=True) for pool in pools if len(pool) > 1 for run_id in pool
    }
    for page in readers[0].pages():
        others = readers[1].of(page)
        known = {run_id: reader.of(page) for run_id, reader in fresh.items()}
        for case_id, before in page.items():
            after = others.get(case_id)
            if after is None:
                continue
            elsewhere = [
                _pooled(known[pool[0]].get(case_id), [known[run_id].get(case_id) for run_id in pool[1:]], own)
                if len(pool) > 1
                else None
                for pool, own in zip(pools, (before, after), strict=True)
            ]
            yield before, after, (elsewhere[0], elsewhere[1])


def _pooled(
    own: StoredTally | None, others: Sequence[StoredTally | None], like: StoredTally | None = None
) -> CaseTally:
    """What several runs found of one case; a case of the same id but other content is another one."""
    reference = own or like
    assert reference is not None  # a page's case is in its own run
    found = CaseTally(reference.tally.case_id)
    for stored in (own, *others):
        if stored is not None and stored.same_case(reference):
            found.merge(stored.tally)
    return found


def _pool(record: RunRecord, store: Store) -> tuple[str, ...]:
    """The run, and where its cases were asked only once other runs with its prompt, target, data set and grading."""
    manifest = record.manifest
    if _repeats(record) > 1 or record.prompt_hash is None:
        return (record.run_id,)
    points = {point.run_id: point for point in store.history.of(record.workflow_id, purposes=SHOWN_PURPOSES)}
    own = points.get(record.run_id)
    if own is None or own.dataset_hash is None:
        return (record.run_id,)
    alike = [run_id for run_id, point in reversed(points.items()) if point is not own and _alike(point, own)]
    same = (
        run_id for run_id in alike if store.runs.get(run_id).manifest.get("assertions") == manifest.get("assertions")
    )
    return (record.run_id, *islice(same, POOLED - 1))  # a manifest is read only while there is room


def _alike(one: RunPoint, other: RunPoint) -> bool:
    return (one.prompt_hash, one.target_hash, one.dataset_hash) == (
        other.prompt_hash, other.target_hash, other.dataset_hash,
    )  # fmt: skip


def _groups(records: Sequence[RunRecord]) -> tuple[dict[str, str], list[str]]:
    """The group of each case, by id, from the data sets as they are now; what is said when one cannot be asked.

    Cases that are the same in content are a group, too. Inputs are in the store, but which cases belong together stands
    in the data set alone.
    """
    found: dict[str, str] = {}
    seen: set[str | None] = set()
    unknown = []
    for record in records:
        if record.dataset_hash is not None and record.dataset_hash in seen:
            continue
        seen.add(record.dataset_hash)
        read = _groups_of(record)
        if read is None:
            unknown.append(record.run_id)
        else:
            found = {**read, **found}
    if not unknown:
        return found, []
    runs = " and ".join(unknown)
    return found, [
        f"The data set of {runs} is no longer as it was, or was used in part: groups of its cases are not known, and "
        "cases that stand in no other data set count one by one."
    ]


def _groups_of(record: RunRecord) -> dict[str, str] | None:
    with suppress(SharpenError, OSError):  # the file is gone, or is no data set any more: then nothing is known
        manifest = manifest_of(record)
        cases = manifest.case_set()
        if record.dataset_hash != cases.content_hash:
            return None
        found: dict[str, str] = {}
        first: dict[str, str] = {}
        for case in cases:
            group = group_of(case.group, case.metadata, case.vars, manifest.optimize.group)
            if group is not None:
                found[case.id] = f"group {group}"
                continue
            key = case_key(case.vars, case.expected)
            if (other := first.setdefault(key, case.id)) != case.id:
                found[case.id] = found[other] = f"content {key}"
        return found
    return None


def _facts(record: RunRecord, store: Store) -> RunFacts:
    manifest = record.manifest
    statistics = record.statistics
    return RunFacts(
        status=record.status,
        prompt_hash=record.prompt_hash,
        target=record.target or {},
        assertions=manifest.get("assertions") or (),
        execution=manifest.get("execution") or {},
        total=record.total_tasks,
        finished=statistics.completed_tasks if statistics else store.results.count(record.run_id),
    )


def _side(record: RunRecord, label: str, store: Store) -> ComparedRun:
    version = _version_named(label, store)
    if version is None:
        kept = VersionsByContent(version_manager(store).list(record.workflow_id))
        version = kept.at(record.prompt_hash, record.started_at)
    repeats = _repeats(record)
    return ComparedRun(
        run_id=record.run_id,
        workflow_id=record.workflow_id,
        label=label,
        version=version.version if version else None,
        status=record.status,
        purpose=record.purpose,
        started_at=record.started_at,
        model=str(record.target.get("model") or record.target.get("kind") or ""),
        prompt_hash=record.prompt_hash,
        repeats=repeats,
        cases=record.total_tasks // repeats,
    )


def _prompt_diff(old: RunRecord, new: RunRecord) -> str:
    if not old.prompt or not new.prompt:
        return ""
    before, after = (PromptTemplate.model_validate(list(record.prompt)) for record in (old, new))
    return diff_prompts(before, after, old.run_id, new.run_id)


def _repeats(record: RunRecord) -> int:
    return int((record.manifest.get("execution") or {}).get("repeats") or 1)


def _resolved(first: str, second: str, store: Store) -> tuple[str, str]:
    """The ids of the runs that two sides name; of two versions the newest runs that were made alike."""
    if "@" not in first + second:
        return first, second
    sides = [_runs_named(side, store) for side in (first, second)]
    for one in sides[0]:
        for other in sides[1]:
            if (one.target_hash, one.dataset_hash) == (other.target_hash, other.dataset_hash):
                return one.run_id, other.run_id
    return sides[0][0].run_id, sides[1][0].run_id


def _runs_named(side: str, store: Store) -> Sequence[RunPoint]:
    """The run, or the complete runs of a version, newest first."""
    version = _version_named(side, store)
    if version is None:
        return [_point(side, store)]
    points = [
        point
        for point in reversed(store.history.of(version.workflow_id, purposes=SHOWN_PURPOSES))
        if point.prompt_hash == version.content_hash
    ]
    complete = [point for point in points if point.status == "completed"]
    if complete or points:
        return complete or points
    return [_evidence(version, side, store)]


def _version_named(side: str, store: Store) -> PromptVersion | None:
    """The version that a side names; None for a run's id. Raises ``UnknownNameError``."""
    name, at, reference = side.rpartition("@")
    if not at:
        return None
    known = version_manager(store).workflows()
    if not known:
        raise UserError(f"{side!r} is no run: {NO_VERSION}")
    if not name and len(known) > 1:
        raise UserError(
            f"{side!r}: whose? the store holds versions of {', '.join(known)}; expected WORKFLOW@{reference}"
        )
    workflow, (reference,) = version_names(store, [name, reference] if name else [reference], (None,), None)
    return version_manager(store).get(workflow, reference)


def _point(run_id: str, store: Store) -> RunPoint:
    record = store.runs.get(run_id)
    points = store.history.of(record.workflow_id, purposes=(record.purpose,))
    found = next((point for point in points if point.run_id == record.run_id), None)
    if found is None:
        raise UserError(f"run {record.run_id!r} has not ended; expected one that has, to compare it with a version")
    return found


def _evidence(version: PromptVersion, side: str, store: Store) -> RunPoint:
    """The newest run of a search that measured this very prompt: that of its proof, on held-out cases."""
    for run_id in reversed(version.run_ids):
        with suppress(UserError):  # runs may have been pruned
            if store.runs.get(run_id).prompt_hash == version.content_hash:
                return _point(run_id, store)
    raise UserError(
        f"{side!r} was never run: the store holds no run with the prompt of version {version.version}; "
        "run a plan with that prompt first (`sharpen versions show ... --format prompt` prints it)"
    )
