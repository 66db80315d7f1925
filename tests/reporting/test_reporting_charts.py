"""The picture of all candidates: pass rate against tokens."""

import itertools
import re

from sharpen.reporting import charts


def test_the_front_names_who_stands_on_it_and_says_so_in_words():
    points = [("c01", 0.9, 75.0, True), ("c02", 0.95, 160.0, True), ("<c03>", 0.5, 300.0, False)]
    svg = charts.front(points, (0.3, 30.0))
    assert svg.count("<circle") == 4
    assert "polyline" in svg
    assert ">c01<" in svg
    assert "c03" not in svg
    assert "baseline: 30.0% at 30 tokens; on the front c01: 90.0% at 75 tokens; c02: 95.0% at 160 tokens" in svg


def test_names_of_neighbours_on_the_front_do_not_cover_each_other():
    near = [(f"c{number:02d}", 0.55 + number / 1000, 31.0 + number / 10, True) for number in range(6)]
    svg = charts.front([*near, ("c99", 0.56, 150.0, True)], (0.36, 24.0))
    written = re.findall(r'<text class="value" x="([\d.]+)" y="([\d.]+)"[^>]*>c\d\d<', svg)
    places = [(float(x), float(y)) for x, y in written]
    assert len(places) == 7
    assert all(abs(a[1] - b[1]) >= 12 or abs(a[0] - b[0]) >= 25 for a, b in itertools.combinations(places, 2))
    assert all(10 <= y <= 150 and x < charts.WIDTH - 10 for x, y in places)


def test_a_front_of_one_and_of_none_is_drawn_too():
    assert "polyline" not in charts.front([("c01", 0.9, 0.0, True)], (0.0, 0.0))
    assert "on the front nobody" in charts.front([("c01", 0.9, 9.0, False)], (0.0, 0.0))


def test_the_widest_figure_beside_the_axis_has_room():
    drawn = charts.trend("Cost", [1e-4, 1e-4], [], [], text=lambda value: f"${value:.6f}")
    places = {label: float(x) for x, label in re.findall(r'<text class="tick" x="([\d.]+)"[^>]*>([^<]+)</text>', drawn)}
    assert places["$0.000050"] >= len("$0.000050") * 6.5  # it ends there, in letters of 11.5 px
    assert places["oldest"] > places["$0.000050"]
