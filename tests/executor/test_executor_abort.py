import pytest

from sharpen.errors import ErrorKind
from sharpen.executor.abort import AbortPolicy
from sharpen.targets.base import Failure


def fail(kind: ErrorKind, message: str = "no", status: int | None = None) -> Failure:
    return Failure(kind, message, http_status=status)


NO_CONNECTION, TIMEOUT = fail(ErrorKind.CONNECTION, "refused"), fail(ErrorKind.TIMEOUT)
NOT_FOUND = fail(ErrorKind.BAD_REQUEST, "no model 'x'", 404)


def test_a_wrong_key_ends_the_run_at_once_even_after_successes() -> None:
    policy = AbortPolicy(100)
    policy.success()
    assert policy.failure(fail(ErrorKind.AUTHENTICATION, "wrong key"), final=True) == (
        "the target refuses the credentials: wrong key"
    )


def test_an_unreachable_server_ends_the_run_when_the_first_call_has_used_its_retries() -> None:
    policy = AbortPolicy(100)
    assert [policy.failure(NO_CONNECTION, final=False) for _ in range(30)] == [None] * 30
    assert policy.failure(NO_CONNECTION, final=True) == "cannot reach the target: refused"


def test_answers_that_are_none_are_not_called_out_of_reach() -> None:
    garbage = Failure(ErrorKind.CONNECTION, "what a:80 answered is not HTTP", retryable=True, reached=True)
    reasons = [AbortPolicy(1).failure(failure, final=True) for failure in (garbage, NO_CONNECTION)]
    assert reasons == ["no proper answer from the target: what a:80 answered is not HTTP",
                       "cannot reach the target: refused"]  # fmt: skip


def test_without_retries_three_tasks_prove_it_or_all_there_are() -> None:
    policy = AbortPolicy(100)
    assert [policy.failure(NO_CONNECTION, final=True) is None for _ in range(3)] == [True, True, False]
    assert AbortPolicy(1).failure(NO_CONNECTION, final=True)


def test_a_server_that_answers_in_any_way_is_reachable() -> None:
    policy = AbortPolicy(100)
    assert policy.failure(TIMEOUT, final=False) is None
    assert [policy.failure(NO_CONNECTION, final=True) for _ in range(20)] == [None] * 20


def test_the_same_refusal_of_the_first_three_calls_ends_the_run() -> None:
    policy = AbortPolicy(100, subject="the judge")
    assert policy.failure(NOT_FOUND, final=True) is None
    assert policy.failure(NOT_FOUND, final=True) is None
    assert policy.failure(NOT_FOUND, final=True) == "the judge refuses every request: no model 'x'"


@pytest.mark.parametrize(
    "failure",
    [
        fail(ErrorKind.BAD_REQUEST, "redirects to https://elsewhere", 301),
        fail(ErrorKind.BAD_REQUEST, "POST is not allowed", 405),
        fail(ErrorKind.MALFORMED_COMPLETION, "no JSON but '<html>'", 200),
    ],
)
def test_a_wrong_address_ends_the_run_as_a_missing_model_does(failure: Failure) -> None:
    policy = AbortPolicy(100)
    assert [policy.failure(failure, final=True) is None for _ in range(3)] == [True, True, False]
    answered = AbortPolicy(100)
    answered.success()
    assert all(answered.failure(failure, final=True) is None for _ in range(9))


@pytest.mark.parametrize(
    "failure",
    [
        fail(ErrorKind.BAD_REQUEST, "too long", 400),
        fail(ErrorKind.MALFORMED_COMPLETION, "the target returned a dict"),
        Failure(ErrorKind.MALFORMED_COMPLETION, "an empty body", http_status=200, retryable=True),
    ],
)
def test_what_may_be_a_cases_own_never_ends_it(failure: Failure) -> None:
    policy = AbortPolicy(100)
    assert all(policy.failure(failure, final=True) is None for _ in range(9))


def test_refusals_that_differ_or_follow_a_success_are_the_cases_own() -> None:
    different = AbortPolicy(100)
    assert all(different.failure(fail(ErrorKind.BAD_REQUEST, f"bad {n}"), final=True) is None for n in range(9))
    mixed = AbortPolicy(100)
    mixed.failure(TIMEOUT, final=True)
    assert all(mixed.failure(NOT_FOUND, final=True) is None for _ in range(9))
    answered = AbortPolicy(100)
    answered.success()
    assert all(answered.failure(NOT_FOUND, final=True) is None for _ in range(9))


def test_failures_of_single_cases_never_end_a_run() -> None:
    policy = AbortPolicy(100)
    for kind in set(ErrorKind) - {ErrorKind.AUTHENTICATION, ErrorKind.CONNECTION, ErrorKind.BAD_REQUEST}:
        assert all(policy.failure(fail(kind), final=True) is None for _ in range(50))


def test_a_request_that_a_server_calls_bad_is_the_cases_own() -> None:
    policy = AbortPolicy(100)
    assert [policy.failure(fail(ErrorKind.BAD_REQUEST, "no", 400), final=True) for _ in range(20)] == [None] * 20


@pytest.mark.parametrize(
    ("kind", "status", "message"),
    [
        (ErrorKind.RATE_LIMIT, 429, "HTTP 429: insufficient_quota"),
        (ErrorKind.SERVER, 501, "HTTP 501: not implemented"),
        (ErrorKind.SERVER, 505, "HTTP 505: version not supported"),
    ],
)
def test_what_no_waiting_mends_ends_the_run_at_the_third_in_a_row(kind: ErrorKind, status: int, message: str) -> None:
    policy = AbortPolicy(1000)
    policy.success()  # a quota may be spent half way
    failure = Failure(kind, message, status)
    assert [policy.failure(failure, final=True) for _ in range(2)] == [None, None]
    policy.success()
    assert [policy.failure(failure, final=True) for _ in range(2)] == [None, None]
    assert policy.failure(failure, final=True) == f"the target refuses every request: {message}"


def test_what_is_refused_for_different_reasons_is_the_cases_own() -> None:
    policy = AbortPolicy(1000)
    for number in range(9):
        assert policy.failure(Failure(ErrorKind.SERVER, f"HTTP 501: feature {number}", 501), final=True) is None


def test_what_may_be_tried_again_ends_no_run() -> None:
    policy = AbortPolicy(1000)
    failure = Failure(ErrorKind.RATE_LIMIT, "HTTP 429: slow down", 429, retryable=True)
    assert not any(policy.failure(failure, final=True) for _ in range(9))
