"""What ``sharpen ab`` prints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import typer

from sharpen.cli.streams import to_reader, to_stderr
from sharpen.experiments.book import Receipt
from sharpen.experiments.models import ExperimentReport
from sharpen.experiments.planning import SamplePlan
from sharpen.experiments.ports import StoredExperiment
from sharpen.reporting import experiment_console as terminal
from sharpen.reporting.experiment_markdown import experiment_document
from sharpen.reporting.json_document import dumps
from sharpen.reporting.terminal import make_console
from sharpen.reporting.writer import ExperimentOutput, check_output_paths, write_output
from sharpen.storage.experiments import AbRecord
from sharpen.storage.store import Store
from sharpen.telemetry.log_options import LogFormat
from sharpen.wiring.ab_reports import ab_exit_code
from sharpen.wiring.resuming import larger_budget
from sharpen.wiring.stores import store_option


def looks(quiet: bool, log_format: LogFormat | None = None) -> Callable[[str], None] | None:
    """Who is told of every look: people who watch."""
    return None if quiet or log_format is LogFormat.JSON else to_stderr


def checked_outputs(paths: Sequence[Path] | None) -> Sequence[Path]:
    """Refuse what cannot be written before anything is paid."""
    check_output_paths(paths or (), ExperimentOutput)
    return paths or ()


@to_reader()
def experiment(report: ExperimentReport, as_json: bool, outputs: Sequence[Path], goes_on: str | None = None) -> None:
    """A report on stdout and in files."""
    for path in outputs:
        write_output(path, ExperimentOutput(report))
    if as_json:
        print(dumps(experiment_document(report)))
        return
    terminal.print_experiment(make_console(), report)
    if goes_on:
        print(f"Go on: {goes_on}")
    for path in outputs:
        print(f"Report: {path}")


def finished_ab(report: ExperimentReport, store: Store, as_json: bool, outputs: Sequence[Path]) -> None:
    """An offline test that has ended, or was stopped and can go on. Raises ``typer.Exit`` with its code."""
    kept = store.ab_tests.find(report.id)
    finished = kept is not None and kept.finished_at is not None
    goes_on = None
    if not finished:
        goes_on = f"sharpen resume {report.id}{store_option(store)}{larger_budget(report.stop_reason, 'execution')}"
    experiment(report, as_json, outputs, goes_on)
    raise typer.Exit(ab_exit_code(report, finished))


@to_reader()
def sample_plan(available: int, plans: Sequence[SamplePlan], as_json: bool) -> None:
    """What an effect takes."""
    if as_json:
        print(dumps({"available": available, "plans": [plan.model_dump(mode="json") for plan in plans]}))
        return
    terminal.print_sample_plan(make_console(), available, plans)


def defined(stored: StoredExperiment, as_json: bool, quiet: bool) -> None:
    """An experiment that was just begun, or ramped up."""
    found = stored.experiment
    if as_json:
        print(dumps(stored.model_dump(mode="json")))
        return
    if not quiet:
        shares = ", ".join(f"{name} {share:.1%}" for name, share in found.shares.items())
        ended = "" if stored.stopped_at is None else f"; it ended at {stored.stopped_at:%Y-%m-%d %H:%M} UTC"
        print(f"{found.name}: {found.ramp:.0%} of the units take part, {shares}{ended}")


@to_reader()
def assigned(units: Sequence[tuple[str, str | None]], as_json: bool) -> None:
    """Which variant each unit gets."""
    if as_json:
        print(dumps({"assigned": [{"unit_id": unit, "variant": variant} for unit, variant in units]}))
        return
    for unit, variant in units:
        print(f"{unit}: {variant if variant is not None else 'does not take part'}")


def recorded(receipt: Receipt, as_json: bool, quiet: bool) -> None:
    """What became of outcomes."""
    if as_json:
        print(dumps(receipt.model_dump(mode="json")))
        return
    if not quiet:
        print(f"{receipt.experiment}: {receipt.counted:,} of {receipt.given:,} outcomes count")
        for reason, number in receipt.refused.items():
            print(f"  {number:,} {reason} (such as unit {receipt.examples[reason]!r})")


@to_reader()
def experiments(online: Sequence[StoredExperiment], offline: Sequence[AbRecord], as_json: bool, quiet: bool) -> None:
    """All experiments of a store."""
    rows = [(one.id, "offline", one.report.headline if one.report else "cut off, or under way") for one in offline]
    rows += [(one.experiment.name, "online", one.report.headline if one.report else "under way") for one in online]
    if as_json:
        print(dumps({"experiments": [{"id": name, "kind": kind, "headline": told} for name, kind, told in rows]}))
        return
    if quiet:
        return
    if not rows:
        print("no experiment yet: `sharpen ab PLAN --variant A=plan --variant B=…`, or `sharpen ab define FILE`")
    for name, kind, told in rows:
        print(f"{name}  {kind}: {told}")
