"""The external filter accepts, refuses or replaces; any other answer is a failure, and a setting decides."""

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from assistants.filtering import (
    About,
    FilterRefused,
    external,
    filter_call,
    filter_result,
    lifespan,
    passed_on,
    results,
)
from connector.wire.results import CallResult
from tests.assistants.filtering.functions import function
from tests.assistants.webhooks.receiver import Receiver, receiver

ABOUT = About("helper", "mcp_abc", "ann")
RESULT = {"content": [{"type": "text", "text": "Hello"}], "structuredContent": None, "isError": False}


@pytest.fixture
async def service(settings: Any) -> AsyncIterator[Receiver]:
    with receiver() as told:
        settings.TOOL_FILTER_URL, settings.TOOL_FILTER_TOKEN = told.address, "s3cret"
        settings.TOOL_FILTER_TIMEOUT_S = 2
        async with lifespan():
            yield told


def answers(service: Receiver, **answer: Any) -> None:
    service.answer = orjson.dumps(answer)


async def test_it_is_asked_about_calls_and_results(service: Receiver) -> None:
    answers(service, action="accept")
    assert await filter_call(function(), {"a": 1}, ABOUT) == {"a": 1}
    assert await filter_result(function(), RESULT, ABOUT) == RESULT
    about = {"server": "mail", "function": "read", "assistant": "helper", "key": "mcp_abc", "end_user": "ann"}
    assert [request.payload for request in service.requests] == [
        {"stage": "call", "arguments": {"a": 1}, **about},
        {"stage": "result", "result": RESULT, **about},
    ]
    assert service.requests[0].headers["authorization"] == "Bearer s3cret"


async def test_it_replaces(service: Receiver) -> None:
    answers(service, action="replace", arguments={"a": 2})
    assert await filter_call(function(), {"a": 1}, ABOUT) == {"a": 2}
    other = {"content": [{"type": "text", "text": "Bye"}]}
    answers(service, action="replace", result=other)
    passed = await passed_on(
        function(), CallResult([{"type": "text", "text": "Hello"}], {"a": 1}), ABOUT, masks_secrets=False
    )
    assert passed == CallResult(other["content"], None)


async def test_it_refuses(service: Receiver) -> None:
    answers(service, action="refuse", reason="No mail to competitors.")
    with pytest.raises(FilterRefused, match=r"No mail to competitors\."):
        await filter_call(function(), {}, ABOUT)
    passed = await passed_on(function(), CallResult([], None), ABOUT, masks_secrets=False)
    assert passed.is_error
    assert passed.content == [{"type": "text", "text": f"{results.WITHHELD} No mail to competitors."}]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"accept",
        b"[]",
        b"{}",
        b'{"action": "Accept"}',
        b'{"action": "accept", "arguments": {}}',
        b'{"action": "refuse", "reason": 1}',
        b'{"action": "replace"}',
        b'{"action": "replace", "arguments": []}',
        b'{"action": "replace", "result": {"content": []}}',
        b'{"action": "replace", "arguments": {}, "more": 1}',
        b'{"action": ["accept"]}',
    ],
)
async def test_any_other_answer_is_a_failure(service: Receiver, settings: Any, answer: bytes) -> None:
    service.answer = answer
    with pytest.raises(FilterRefused, match="did not answer"):
        await filter_call(function(), {"a": 1}, ABOUT)
    settings.TOOL_FILTER_FAILS = "open"
    assert await filter_call(function(), {"a": 1}, ABOUT) == {"a": 1}


@pytest.mark.parametrize(
    "result",
    [
        {"content": "a"},
        {"content": [1]},
        {"content": [{}]},
        {"content": [], "isError": 1},
        {"content": [], "x": 1},
    ],
)
async def test_a_result_that_is_none_is_a_failure(service: Receiver, result: Any) -> None:
    answers(service, action="replace", result=result)
    with pytest.raises(FilterRefused, match="did not answer"):
        await filter_result(function(), RESULT, ABOUT)


@pytest.mark.parametrize("status", [204, 307, 401, 500])
async def test_another_status_is_a_failure(service: Receiver, status: int) -> None:
    answers(service, action="accept")
    service.statuses, service.headers = [status], {"location": service.address}
    with pytest.raises(FilterRefused):
        await filter_call(function(), {}, ABOUT)
    assert len(service.requests) == 1


async def test_one_that_is_slow_large_or_gone_is_a_failure(
    service: Receiver, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(service, action="accept")
    monkeypatch.setattr(external, "MOST_BYTES", 1_000)
    with pytest.raises(FilterRefused):
        await filter_call(function(), {"a": "b" * 1_000}, ABOUT)
    assert not service.requests
    answers(service, action="refuse", reason="b" * 2_000)
    with pytest.raises(FilterRefused, match="did not answer"):
        await filter_call(function(), {}, ABOUT)
    service.slow_s = 5
    with pytest.raises(FilterRefused, match="did not answer"):
        await filter_call(function(), {}, ABOUT)
    settings.TOOL_FILTER_URL = "http://127.0.0.1:9/"
    with pytest.raises(FilterRefused, match="did not answer"):
        await filter_call(function(), {}, ABOUT)


async def test_without_a_filter_nothing_is_asked() -> None:
    async with lifespan():
        assert await filter_call(function(), {"a": 1}, ABOUT) == {"a": 1}
