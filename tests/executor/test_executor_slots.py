"""How many calls side by side: when a number is believed, tried and given up."""

from sharpen.executor.slots import FIRST_TEST_S, REST_S, Slots


def _known(number: int, most: int = 8) -> Slots:
    slots = Slots(most)
    slots.refused(0.0, number + 1, number)
    assert slots.refused(1.0, number + 1, number)
    return slots


def test_two_refusals_at_the_same_number_tell_it() -> None:
    slots = Slots(64)
    assert not slots.refused(0.0, 0, 3)  # the first ones: nobody counted how many were under way
    assert slots.refused(1.0, 4, 3)
    assert slots.known
    assert slots.limit == 3


def test_a_single_call_side_by_side_takes_one_more_for_so_looks_a_rate_without_burst() -> None:
    slots = Slots(64)
    assert [slots.refused(float(at), 2, 1) for at in range(3)] == [False, False, True]


def test_a_call_that_was_accepted_beside_as_many_speaks_against_it_until_the_next_refusal() -> None:
    """Else a single one that was counted wrongly would hide the number for ever."""
    slots = Slots(64)
    slots.accepted(0.0, 5)
    assert [slots.refused(float(at), 5, 4) for at in range(3)] == [False, False, True]
    assert slots.limit == 4


def test_one_more_is_tried_ever_more_seldom_and_its_refusal_tells_nothing_else() -> None:
    slots = _known(3)
    now, waits = 1.0, []
    for _ in range(3):
        began = now
        while slots.limit == 3:
            now += 0.5
            slots.accepted(now, 3)
        assert slots.tested(now, 4)
        assert slots.tested(now, 4)  # another came to be beside as many before the first was refused
        assert slots.known
        assert slots.limit == 3
        waits.append(now - began)
    assert waits == [FIRST_TEST_S, 2 * FIRST_TEST_S, 4 * FIRST_TEST_S]
    assert not slots.tested(now, 3)


def test_one_place_stays_free_for_others_before_one_more_is_tried() -> None:
    slots = _known(3)
    at = 1.0 + FIRST_TEST_S
    slots.accepted(at, 3)
    assert slots.wait(at, 1) == 0
    assert slots.wait(at, 2) == REST_S
    assert slots.wait(at + REST_S, 2) == 0
    assert slots.tested(at + REST_S, 3)  # another process took it
    assert slots.known
    assert slots.limit == 2


def test_all_that_the_plan_allows_is_tried_before_the_number_is_forgotten() -> None:
    slots = _known(7)
    slots.accepted(1.0 + FIRST_TEST_S, 7)
    assert slots.known
    assert slots.limit == 8
    slots.accepted(2.0 + FIRST_TEST_S, 8)
    assert not slots.known


def test_a_refusal_beside_fewer_shows_that_it_is_none_and_then_it_takes_more() -> None:
    slots = _known(3)
    assert not slots.tested(2.0, 2)
    assert not slots.refused(2.0, 2, 1)
    assert not slots.known
    assert slots.limit == 8
    assert [slots.refused(float(at), 4, 3) for at in range(3, 6)] == [False, False, True]
