import asyncio

import pytest

from core.circuit_breaker import CircuitBreaker, CircuitOpen

REST_S = 1.0


class ServiceDown(Exception):
    pass


class BadRequest(Exception):
    pass


@pytest.fixture
def breaker() -> CircuitBreaker:
    return CircuitBreaker(trips_on=(ServiceDown,), rest_s=REST_S, slow_s=0.5)


def attempt(breaker: CircuitBreaker, failure: Exception | None = None) -> None:
    with breaker.protect():
        if failure:
            raise failure


def fail(breaker: CircuitBreaker, failure: Exception, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(type(failure)):
            attempt(breaker, failure)


def test_it_opens_after_three_failures_in_a_row_and_names_the_last(breaker: CircuitBreaker) -> None:
    fail(breaker, ServiceDown("first"), times=2)
    fail(breaker, ServiceDown("third"))
    with pytest.raises(CircuitOpen) as refusal:
        attempt(breaker)
    assert str(refusal.value.last) == "third"


def test_a_success_in_between_starts_the_count_anew(breaker: CircuitBreaker) -> None:
    fail(breaker, ServiceDown(), times=2)
    attempt(breaker)
    fail(breaker, ServiceDown(), times=2)
    attempt(breaker)


def test_other_exceptions_are_not_failures_of_the_service(breaker: CircuitBreaker) -> None:
    fail(breaker, BadRequest(), times=5)
    attempt(breaker)


async def test_after_a_rest_one_attempt_passes_and_its_success_closes_the_circuit(
    breaker: CircuitBreaker,
) -> None:
    fail(breaker, ServiceDown(), times=3)
    await asyncio.sleep(REST_S * 1.2)
    with breaker.protect(), pytest.raises(CircuitOpen):
        attempt(breaker)  # beside the one that passes
    attempt(breaker)


async def test_after_a_rest_one_failure_opens_it_again(breaker: CircuitBreaker) -> None:
    fail(breaker, ServiceDown(), times=3)
    await asyncio.sleep(REST_S * 1.2)
    fail(breaker, ServiceDown())
    with pytest.raises(CircuitOpen):
        attempt(breaker)


@pytest.mark.parametrize(("patience_s", "is_open"), [(0.6, True), (0.01, False)], ids=["slow", "early"])
async def test_a_caller_who_gives_a_slow_service_up_reports_a_failure(
    breaker: CircuitBreaker, patience_s: float, is_open: bool
) -> None:
    async def wait() -> None:
        with breaker.protect():
            await asyncio.sleep(30)

    for _ in range(3):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(wait(), patience_s)
    assert breaker.failures == (3 if is_open else 0)
