"""The search benchmark's own account is right: tables, budgets, proposals, starts where nothing can be found."""

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from scipy.stats import ttest_ind

np = pytest.importorskip("numpy")

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def bench():
    """The benchmark's modules by name, imported for this file alone."""
    sys.path.insert(0, str(BENCHMARKS))
    names = ("tasks", "table", "worlds", "session", "run", "summary", "picture", "report")
    yield SimpleNamespace(**{name.split(".")[-1]: importlib.import_module(f"search.{name}") for name in names})
    sys.path.remove(str(BENCHMARKS))
    for name in [name for name in sys.modules if name == "search" or name.startswith("search.")]:
        del sys.modules[name]


def own_tasks() -> list[str]:
    return sorted(path.stem for path in (BENCHMARKS / "search" / "tables").glob("*.npz"))


@pytest.mark.parametrize("name", own_tasks())
def test_a_table_holds_every_answer_of_its_task(bench, name: str) -> None:
    table = bench.table.load_table(name)
    task = table.task
    assert table.prompts == (*task.instructions, *task.with_demos)
    assert [len(task.cases[split]) for split in bench.tasks.SPLITS] == [50, 100, 200]
    assert len(task.by_input) == len(task.by_id) == len(table.case_ids) == 350
    assert table.answers.shape == table.prompt_tokens.shape == (len(table.prompts), 350)
    assert task.licence
    for column in (0, 200, 349):  # scored anew from the text
        case, row = task.by_id[table.case_ids[column]], len(table.prompts) - 1
        assert table.right[row, column] == task.is_right(table.texts[table.answers[row, column]], case)


@pytest.mark.parametrize("name", [name for name in own_tasks() if not name.startswith("null_")])
def test_a_task_is_neither_trivial_nor_hopeless(bench, name: str) -> None:
    table = bench.table.load_table(name)
    rates = [table.accuracy(prompt, "holdout") for prompt in table.task.instructions]
    assert rates[0] < 0.2
    assert 0.3 < max(rates) < 0.99
    assert len({round(rate, 1) for rate in rates}) >= 4


def test_the_tables_stay_small() -> None:
    assert sum(path.stat().st_size for path in (BENCHMARKS / "search" / "tables").iterdir()) < 1_500_000


def test_a_budget_is_exact_and_every_question_is_counted(bench) -> None:
    world = bench.worlds.recorded(bench.table.load_table("reviews"))
    session = bench.session.Session(world, 10, seed=0)
    cases = [case.id for case in session.view.dev]
    session.evaluate(world.seed, cases[:6])
    session.evaluate(world.seed, cases[:4])
    with pytest.raises(bench.session.BudgetExhausted):
        session.evaluate(world.seed, cases[:1])
    assert (session.calls, len(session.asked)) == (10, 6)
    session.evaluate(world.seed, cases[:3], hard=False)
    assert session.calls == 13


def test_the_holdout_is_not_shown(bench) -> None:
    session = bench.session.Session(bench.worlds.recorded(bench.table.load_table("reviews")), 10, seed=0)
    assert {case.id[0] for case in (*session.view.train, *session.view.dev)} == {"t", "d"}


@pytest.mark.parametrize("method", ["everything", "uniform", "halving", "race"])
def test_a_search_says_the_same_twice_and_keeps_its_budget(bench, method: str) -> None:
    world = bench.worlds.recorded(bench.table.load_table("reviews"))
    for budget in (30, 100, 400):
        first, again = (
            {key: value for key, value in found.items() if key != "wall_s"}
            for found in (bench.session.search(bench.run.optimizer(method), world, budget, 3) for _ in range(2))
        )
        assert first == again
        assert first["calls"] <= budget


def test_everybody_gets_the_same_proposals(bench) -> None:
    world = bench.worlds.recorded(bench.table.load_table("reviews"))
    one, other, different = (bench.session.Session(world, 10, seed) for seed in (1, 1, 2))
    orders = [[session.propose() for _ in range(25)] for session in (one, other, different)]
    assert orders[0] == orders[1] != orders[2]
    assert orders[0][-1] is None
    assert set(orders[0][:-1]) == set(world.candidates) == set(orders[2][:-1])


def test_a_search_that_claims_nothing_ships_the_seed(bench) -> None:
    world = bench.worlds.recorded(bench.table.load_table("reviews"))
    best = max(world.candidates, key=world.accuracy)
    session = bench.session.Session(world, 10, seed=0)
    kept = session.outcome(bench.session.Found(best, claimed=False))
    told = session.outcome(bench.session.Found(best, claimed=True))
    assert kept["shipped"] == kept["start_accuracy"] == round(world.accuracy(world.seed), 4)
    assert kept["best"] == told["best"] == told["shipped"] == round(world.accuracy(best), 4)
    assert session.outcome(world.seed)["claimed"] is False


@pytest.mark.parametrize("start", ["null-sim", "null-dealt", "null-groups"])
def test_no_prompt_of_a_null_is_better_than_another(bench, start: str) -> None:
    table = bench.table.load_table("reviews")
    rows = [table.row[prompt] for prompt in table.task.instructions]
    drawn = [bench.worlds.make_world(table, start, seed).right[rows].mean(axis=1) for seed in range(60)]
    rates = np.mean(drawn, axis=0)
    assert table.right[rows].mean(axis=1).std() > 0.1
    assert rates.std() < 0.02


def test_groups_of_a_null_hang_together(bench) -> None:
    table = bench.table.load_table("reviews")
    rows = [table.row[prompt] for prompt in table.task.instructions]

    def between_groups(world) -> float:
        """Variance of a prompt's group means: larger than by chance when a group's answers hang together."""
        held = world.right[rows][:, table.columns["holdout"]].reshape(len(rows), -1, bench.worlds.GROUP)
        return float(held.mean(axis=2).var(axis=1).mean())

    dealt, grouped = (
        np.mean([between_groups(bench.worlds.make_world(table, start, seed)) for seed in range(10)])
        for start in ("null-dealt", "null-groups")
    )
    assert grouped > 1.5 * dealt
    world = bench.worlds.make_world(table, "null-groups", 0)
    assert len({case.group for case in world.cases["dev"]}) == 100 / bench.worlds.GROUP


def test_halving_of_a_clear_winner_finds_it(bench) -> None:
    table = bench.table.load_table("reviews")
    world = bench.worlds.recorded(table)
    right = np.zeros_like(table.right)
    right[table.row[world.candidates[7]]] = True
    clear = bench.worlds.replace(world, right=right)
    for method in ("uniform", "halving", "race", "everything"):
        found = bench.session.search(bench.run.optimizer(method), clear, 2500, 0)
        assert found["best"] == 1.0, method


def lines(method: str, rates: list[float], budget: int = 100) -> list[dict[str, object]]:
    return [
        {"method": method, "start": "weak", "task": "a", "budget": budget, "seed": seed, "best": rate, "calls": budget,
         "shipped": rate, "claimed": True, "start_accuracy": 0.2}
        for seed, rate in enumerate(rates)
    ]  # fmt: skip


def test_a_difference_is_paired_by_seed(bench) -> None:
    runs = bench.summary.Runs([*lines("x", [0.5, 0.7, 0.6]), *lines("y", [0.4, 0.6, 0.5, 0.9])], ["a"])
    found = runs.difference("x", "y", "weak", 100, bench.summary.best)
    assert found.mean == pytest.approx(0.1)
    assert found.high - found.low == pytest.approx(0, abs=1e-9)
    assert found.seeds == 3


def test_a_difference_may_be_that_of_two_budgets(bench) -> None:
    runs = bench.summary.Runs([*lines("x", [0.5, 0.7], 200), *lines("y", [0.4, 0.5], 800)], ["a"])
    asked = (runs.difference, runs.unpaired, runs.bootstrap)
    assert [one("x", "y", "weak", 200, bench.summary.best, 800).mean for one in asked] == pytest.approx([0.15] * 3)
    assert [one("x", "y", "weak", 200, bench.summary.best) for one in asked] == [None] * 3  # y was not run at 200


def test_an_unpaired_difference_is_welchs(bench) -> None:
    ours, theirs = [0.5, 0.7, 0.6, 0.8, 0.75], [0.4, 0.9, 0.5]
    runs = bench.summary.Runs([*lines("x", ours), *lines("y", theirs)], ["a"])
    found = runs.unpaired("x", "y", "weak", 100, bench.summary.best)
    expected = ttest_ind(ours, theirs, equal_var=False).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.mean == pytest.approx(0.07)
    same = bench.summary.Runs([*lines("x", [0.5, 0.5]), *lines("y", [0.4, 0.4])], ["a"])
    without = same.unpaired("x", "y", "weak", 100, bench.summary.best)
    assert (without.low, without.mean, without.high) == pytest.approx((0.1, 0.1, 0.1))


def test_other_tasks_make_an_interval_wider_and_alike_ones_do_not(bench) -> None:
    def runs(gaps: dict[str, float]):
        found = [
            {**line, "task": task, "best": line["best"] + (gap if method == "x" else 0.0)}
            for task, gap in gaps.items()
            for method in "xy"
            for line in lines(method, [0.4, 0.5, 0.6, 0.5])
        ]
        return bench.summary.Runs(found, list(gaps))

    alike, unlike = (
        runs(gaps).bootstrap("x", "y", "weak", 100, bench.summary.best)
        for gaps in ({"a": 0.1, "b": 0.1, "c": 0.1}, {"a": 0.0, "b": 0.1, "c": 0.2})
    )
    assert (alike.low, alike.mean, alike.high, alike.seeds) == pytest.approx((0.1, 0.1, 0.1, 4))
    assert unlike.mean == pytest.approx(0.1)
    assert unlike.low == pytest.approx(0.0, abs=0.04)
    assert unlike.high == pytest.approx(0.2, abs=0.04)
    assert (
        bench.summary.Runs(lines("x", [0.5, 0.6]), ["a"]).bootstrap("x", "y", "weak", 100, bench.summary.best) is None
    )


def test_an_interval_is_students(bench) -> None:
    found = bench.summary.interval([1.0, 2.0, 3.0, 4.0])
    assert (found.low, found.high) == pytest.approx((0.4457397, 4.5542603))


def test_calls_needed_are_those_after_which_it_stays_as_good(bench) -> None:
    curve = [*lines("x", [0.7], 50), *lines("x", [0.5], 100), *lines("x", [0.6], 200), *lines("x", [0.65], 400)]
    runs = bench.summary.Runs(curve, ["a"])
    assert runs.calls_to("x", "weak", 0.6) == 200
    assert runs.calls_to("x", "weak", 0.66) is None


def test_results_are_kept_and_not_made_twice(bench, tmp_path: Path) -> None:
    out = tmp_path / "kept.jsonl.gz"
    tasks = {"reviews": None}

    def todo():
        known = {bench.run.key(line) for line in bench.run.read(out)}
        return list(bench.run.jobs(["halving"], ["weak", "strong"], tasks, [50, 100], 2, known))

    bench.run.run(todo(), out, 1)
    first = out.read_bytes()
    assert len(bench.run.read(out)) == 8
    assert todo() == []
    bench.run.write(out, reversed(bench.run.read(out)))
    assert out.read_bytes() == first


def test_a_picture_has_a_line_and_a_name_for_each_method(bench) -> None:
    import xml.etree.ElementTree as ElementTree

    drawn = {"sharpen": [(100, 60.0), (800, 70.0)], "a < b": [(100, 59.0), (800, 69.9)]}
    svg = ElementTree.fromstring(bench.picture.accuracy_against_calls("T", drawn, "sharpen", ("all: 71", 71.0)))
    tag = "{http://www.w3.org/2000/svg}"
    assert len(svg.findall(f".//{tag}polyline")) == 2
    words = [text.text for text in svg.findall(f"{tag}text")]
    assert {"a < b 69.9", "sharpen 70.0", "all: 71"} <= set(words)
    places = [float(text.get("y")) for text in svg.findall(f"{tag}text") if text.text in ("a < b 69.9", "sharpen 70.0")]
    assert abs(places[0] - places[1]) >= bench.picture.NEAR


def test_what_is_ours_has_one_colour(bench) -> None:
    drawn = {name: [(100, 60.0), (800, 70.0)] for name in ("sharpen", "sharpen, search alone", "other")}
    svg = bench.picture.accuracy_against_calls("T", drawn, "sharpen", ("all: 71", 71.0))
    ours = [line for line in svg.split("<") if line.startswith("polyline") and bench.picture.OURS in line]
    assert ["stroke-dasharray" in line for line in ours] == [True, False]


def test_the_page_tells_a_goal_met_from_one_missed(bench) -> None:
    tables = {"reviews": bench.table.load_table("reviews")}
    searches = [
        {**bench.run.run_job(bench.run.Job("halving", start, "reviews", None, ((budget, seed),)))[0], "method": method}
        for method in ("halving", "sharpen", "gepa")
        for start in ("weak", "strong", "null-sim")
        for budget in bench.report.MAIN
        for seed in range(2)
    ]
    told = bench.report.page(searches, tables, "about", "picture.svg")
    goals = {line.split("|")[1].strip(): line.split("|")[3].strip() for line in told.splitlines() if line[:2] == "| "}
    above = next(text for text in goals if text.startswith("above every peer") and "claimed" in text)
    assert goals[above] == "**missed**"  # it is the peer
    assert goals["claims where nothing can be found: at most 5%"] == "**missed**"
    assert "+0.0 (+0.0 to +0.0)" in told
    assert "over successive halving at" in told
    assert "drawn anew" in told
    assert "## With demonstrations" not in told
    assert "candidate at 200 calls less GEPA's at 800" in told
    assert "; at 200 " in next(line for line in told.splitlines() if "GEPA's accuracy at 800 calls" in line)
    assert bench.report.chart(searches, tables).count("<polyline") == 3
