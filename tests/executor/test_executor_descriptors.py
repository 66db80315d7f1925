"""The limit of open files is raised where that is allowed, and named where it is not."""

import resource

import pytest

from sharpen.errors import UserError
from sharpen.executor.descriptors import SPARE, make_room


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[int, int]]:
    now = {"limit": (256, 1000)}
    monkeypatch.setattr(resource, "getrlimit", lambda _: now["limit"])
    monkeypatch.setattr(resource, "setrlimit", lambda _, value: now.update(limit=value))
    return now


@pytest.mark.parametrize(
    ("connections", "soft"), [(1, 256), (256 - SPARE, 256), (500, 500 + SPARE), (1000 - SPARE, 1000)]
)
def test_room_is_made(limits: dict[str, tuple[int, int]], connections: int, soft: int) -> None:
    make_room(connections)
    assert limits["limit"] == (soft, 1000)


def test_a_hard_limit_is_the_users_to_raise(limits: dict[str, tuple[int, int]]) -> None:
    with pytest.raises(UserError, match=rf"concurrency 1000 .* allows a process 1000 .* at most {1000 - SPARE}, or a "):
        make_room(1000)
    assert limits["limit"] == (256, 1000)
    limits["limit"] = (40, 40)
    with pytest.raises(UserError, match=r"expected a higher limit$"):  # a single call would need more
        make_room(1)


@pytest.mark.parametrize("limit", [(resource.RLIM_INFINITY, resource.RLIM_INFINITY), (9, resource.RLIM_INFINITY)])
def test_no_limit_is_no_trouble(limits: dict[str, tuple[int, int]], limit: tuple[int, int]) -> None:
    limits["limit"] = limit
    make_room(4096)
    assert limits["limit"][0] in (resource.RLIM_INFINITY, 4096 + SPARE)
