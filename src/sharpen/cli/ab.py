"""``sharpen ab PLAN``: variants against each other on the plan's cases; and experiments on outcomes from outside.

``sharpen ab PLAN`` is the command ``sharpen ab test PLAN``: what is no subcommand's name is a plan.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sharpen.cli.options import (
    JsonOption,
    LogFormatOption,
    LogLevelOption,
    NoCacheOption,
    OfflineOption,
    OtelOption,
    OutputOption,
    PlanArgument,
    QuietOption,
    SetOption,
    StoreOption,
    with_cache,
)

if TYPE_CHECKING:
    from sharpen.wiring.ab_options import AbOptions

_DEFAULT = "test"


class _PlanOrCommand(typer.core.TyperGroup):
    """The command is ``test`` where none is named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("--help", "-h"):
            args = [_DEFAULT, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_PlanOrCommand,
    help="Test variants of a plan against each other (`sharpen ab PLAN --variant A=plan --variant B=…`), or judge an "
    "experiment whose outcomes come from your application.",
)

ExperimentArgument = Annotated[str, typer.Argument(metavar="EXPERIMENT", help="Its name.", show_default=False)]


@app.command(_DEFAULT, short_help="Test variants on a plan's cases; `sharpen ab PLAN` is short for it.")
def run_test(
    plan: PlanArgument,
    variant: Annotated[
        list[str] | None,
        typer.Option(
            "--variant",
            "-v",
            metavar="NAME=WHAT",
            help="plan, version:1.2.0, @production, file:prompts/new.md, model:NAME or set:target.KEY=VALUE. "
            "The first is the control; a name given twice has both changes.",
            show_default=False,
        ),
    ] = None,
    only_plan: Annotated[
        bool, typer.Option("--plan", help="Call nothing: tell how many cases the effect takes.")
    ] = False,
    effect: Annotated[
        float, typer.Option("--effect", "-e", help="The smallest difference of interest, as a share: 0.05 is 5 points.")
    ] = 0.05,
    alpha: Annotated[float, typer.Option("--alpha", help="Chance of any false winner or loser.")] = 0.05,
    power: Annotated[
        float, typer.Option("--power", help="Chance of not giving up a variant that is better by the effect.")
    ] = 0.8,
    metric: Annotated[str, typer.Option("--metric", help="What decides: pass_rate or score.")] = "pass_rate",
    guardrail: Annotated[
        list[str] | None,
        typer.Option(
            "--guardrail",
            "-g",
            metavar="METRIC+MARGIN",
            help="Stop a variant that is worse by more: latency+20%, cost+10%, tokens+50, errors+2%.",
            show_default=False,
        ),
    ] = None,
    batch: Annotated[
        int | None, typer.Option("--batch", min=1, help="Cases between two looks.", show_default="a twentieth")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the order of cases.")] = 0,
    changed: Annotated[
        float | None,
        typer.Option("--changed", help="With --plan: the share of cases on which variants differ.", show_default=False),
    ] = None,
    promote: Annotated[
        str | None,
        typer.Option("--promote", metavar="ALIAS", help="Point this alias at the winner.", show_default=False),
    ] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    overrides: SetOption = None,
    no_cache: NoCacheOption = False,
    offline: OfflineOption = False,  # noqa: ARG001 - the option itself turns the mode on
    output: OutputOption = None,
    log_format: LogFormatOption = None,
    log_level: LogLevelOption = None,
    otel: OtelOption = None,
) -> None:
    """Test variants on the same cases, batch after batch, until one has won, lost or is not worth going on with.

    One looks after every batch, and the level holds nevertheless. The same command goes on with a test that was cut
    off; nothing is paid twice.
    """
    from sharpen import wiring
    from sharpen.cli import show_experiment
    from sharpen.cli.watching import watching
    from sharpen.wiring.ab_options import AbOptions
    from sharpen.wiring.ab_running import Watchers

    options = AbOptions(alpha, power, effect, metric, batch, tuple(guardrail or ()), seed, promote)
    if only_plan:
        _tell_plan(plan, overrides, options, changed, as_json)
        return
    outputs = show_experiment.checked_outputs(output)
    with wiring.open_store(store, plan) as opened:
        with watching(quiet, log_format, log_level, otel) as watch:
            watchers = Watchers(
                watch.observer,
                watch.tracer,
                watch.interrupted,
                watch.taken_over,
                show_experiment.looks(quiet, log_format),
            )
            report = wiring.ab_plan(plan, variant or (), opened, options, with_cache(overrides, no_cache), watchers)
        show_experiment.finished_ab(report, opened, as_json, outputs)


def _tell_plan(
    plan: Path, overrides: list[str] | None, options: AbOptions, changed: float | None, as_json: bool
) -> None:
    from sharpen import wiring
    from sharpen.cli import show_experiment

    show_experiment.sample_plan(*wiring.plan_ab(plan, overrides, options, changed), as_json)


@app.command("define")
def define_experiment(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The experiment (YAML or JSON).", show_default=False)],
    store: StoreOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Begin an online experiment, or raise the ramp of one that has begun."""
    from sharpen import wiring
    from sharpen.cli import show_experiment

    experiment = wiring.load_experiment(file)
    with wiring.open_store(store, file) as opened:
        stored = wiring.begin_experiment(experiment, opened)
    show_experiment.defined(stored, as_json, quiet)


@app.command("assign")
def assign_units(
    experiment: ExperimentArgument,
    units: Annotated[list[str], typer.Argument(metavar="UNIT…", help="Unit ids.", show_default=False)],
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell which variant units get; the same on any machine, at any time."""
    from sharpen import wiring
    from sharpen.cli import show_experiment

    with wiring.open_store(store) as opened:
        found = wiring.experiment_book(opened).get(experiment).experiment
    show_experiment.assigned([(unit, found.assign(unit)) for unit in units], as_json)


@app.command("record")
def record_outcomes(
    experiment: ExperimentArgument,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Outcomes: .jsonl or .csv with unit_id, value, …", show_default=False)
    ],
    store: StoreOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Hand in outcomes. The same file twice counts once; what does not count is told, with the reason."""
    from sharpen import wiring
    from sharpen.cli import show_experiment

    outcomes = wiring.checked_outcomes(file)  # a mistake in the last line must not leave the first ones behind
    with wiring.open_store(store) as opened:
        receipt = wiring.experiment_book(opened).record(experiment, outcomes)
    show_experiment.recorded(receipt, as_json, quiet)


@app.command("status")
def show_status(
    experiment: Annotated[
        str | None, typer.Argument(metavar="[EXPERIMENT]", help="Left out: list all.", show_default=False)
    ] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    output: OutputOption = None,
) -> None:
    """Show how an experiment stands, as often as you like. A verdict is kept, and moves the alias if asked to."""
    from sharpen import wiring
    from sharpen.cli import show_experiment

    outputs = show_experiment.checked_outputs(output)
    with wiring.open_store(store) as opened:
        book = wiring.experiment_book(opened)
        if experiment is None:
            show_experiment.experiments(book.list(), opened.ab_tests.list(), as_json, quiet)
            return
        ended = opened.ab_tests.find(experiment)
        report = ended.report if ended and ended.report else book.status(experiment)
    show_experiment.experiment(report, as_json, outputs)
    raise typer.Exit(wiring.ab_exit_code(report, finished=True))


@app.command("stop")
def stop_experiment(
    experiment: ExperimentArgument,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept with the verdict.")] = "stopped by the user",
    store: StoreOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """End an online experiment now, with what is proved by now."""
    from sharpen import wiring
    from sharpen.cli import show_experiment

    del quiet  # what is asked for is shown
    with wiring.open_store(store) as opened:
        report = wiring.experiment_book(opened).stop(experiment, reason)
    show_experiment.experiment(report, as_json, ())
    raise typer.Exit(wiring.ab_exit_code(report, finished=True))
