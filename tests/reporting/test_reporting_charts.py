"""The picture of all candidates: pass rate against tokens."""

from sharpen.reporting import charts


def test_the_front_names_who_stands_on_it_and_says_so_in_words():
    points = [("c01", 0.9, 75.0, True), ("c02", 0.95, 160.0, True), ("<c03>", 0.5, 300.0, False)]
    svg = charts.front(points, (0.3, 30.0))
    assert svg.count("<circle") == 4
    assert "polyline" in svg
    assert ">c01<" in svg
    assert "c03" not in svg
    assert "baseline: 30.0% at 30 tokens; on the front c01: 90.0% at 75 tokens; c02: 95.0% at 160 tokens" in svg


def test_a_front_of_one_and_of_none_is_drawn_too():
    assert "polyline" not in charts.front([("c01", 0.9, 0.0, True)], (0.0, 0.0))
    assert "on the front nobody" in charts.front([("c01", 0.9, 9.0, False)], (0.0, 0.0))
