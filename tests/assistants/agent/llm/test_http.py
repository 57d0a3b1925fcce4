"""The odd behaviour of real LLM services, over real sockets."""

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from pytest_django import Settings

from assistants.agent import lifespan, run
from assistants.agent.llm import http
from assistants.agent.llm.errors import retry_after
from assistants.catalogue.endpoints import Endpoint
from assistants.events import Finished, Usage
from assistants.openai_api import errors
from tests.assistants.agent.conftest import CANARY, IMPATIENT, Assistant, text
from tests.assistants.agent.llm.failures import failure
from tests.assistants.agent.raw import chunked, raw_upstream
from tests.connector.conftest import wait_for

BODY = (
    b": keep-alive\r\n\r\n"
    + b"data: "
    + json.dumps(
        {"choices": [{"index": 0, "delta": {"content": "Dobrý den 🐎"}}]}, ensure_ascii=False
    ).encode()
    + b"\r\n\r\ndata: "
    + json.dumps({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}).encode()
    + b"\r\n\r\ndata: [DONE]\r\n\r\n"
)


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
async def test_bytes_may_come_in_any_pieces(assistant: Assistant, size: int) -> None:
    async with raw_upstream(chunked(BODY, size)) as raw:
        assistant.endpoint = Endpoint(raw.base_url, "", "m")
        events = await assistant.events()
    assert text(events) == "Dobrý den 🐎"
    assert events[-1] == Finished("stop", 1)


async def test_a_connection_is_used_again(assistant: Assistant) -> None:
    *body, end = chunked(BODY, 1000)
    async with raw_upstream(*[[*body, 0.05, end]] * 3) as raw:
        assistant.endpoint = Endpoint(raw.base_url, "", "m")
        for _ in range(3):
            await assistant.events()
    assert (raw.requests, raw.connections) == (3, 1)


async def test_a_service_that_keeps_the_stream_open_after_its_end_delays_nobody(
    assistant: Assistant, settings: Settings
) -> None:
    async with raw_upstream(chunked(BODY, 1000)[:-1]) as raw:
        assistant.endpoint = Endpoint(raw.base_url, "", "m")
        started = time.monotonic()
        assert text(await assistant.events()) == "Dobrý den 🐎"
    assert time.monotonic() - started < settings.LLM_READ_TIMEOUT_S / 2


async def test_a_connection_that_closes_unanswered_is_tried_again(assistant: Assistant) -> None:
    async with raw_upstream([], chunked(BODY, 1000)) as raw:
        assistant.endpoint = Endpoint(raw.base_url, "", "m")
        assert text(await assistant.events()) == "Dobrý den 🐎"
    assert raw.connections == 2


async def test_a_service_that_cannot_be_reached_fails_after_two_more_attempts(assistant: Assistant) -> None:
    async with raw_upstream([], [], [], chunked(BODY, 1000)) as raw:
        assistant.endpoint = Endpoint(raw.base_url, "", "m")
        assert (await failure(assistant)).code == "upstream_error"
    assert raw.connections == 3
    assistant.endpoint = Endpoint("http://127.0.0.1:9/v1", "", "m")
    failed = await failure(assistant)
    assert (failed.status_code, failed.code) == (502, "upstream_error")


@pytest.mark.parametrize("base_url", ["http://", "nonsense", "http://127.0.0.1:99999/v1"])
async def test_a_malformed_address_fails_clearly(assistant: Assistant, base_url: str) -> None:
    assistant.endpoint = Endpoint(base_url, "", "m")
    assert (await failure(assistant)).status_code == 502


async def test_a_key_that_no_header_can_carry_fails_clearly(assistant: Assistant) -> None:
    assistant.endpoint = Endpoint(assistant.llm.base_url, "two\nlines", "m")
    assert (await failure(assistant)).status_code == 502


async def test_without_a_key_none_is_sent(assistant: Assistant) -> None:
    assistant.script({"text": "Hi"}, {"text": "Hi"})
    await assistant.events()
    assistant.endpoint = Endpoint(assistant.llm.base_url, "", assistant.conversation)
    await assistant.events()
    first, second = assistant.llm.requests(assistant.conversation)
    assert first["headers"]["authorization"] == f"Bearer {CANARY}"
    assert "authorization" not in second["headers"]


async def test_a_redirect_does_not_take_the_key_elsewhere(assistant: Assistant) -> None:
    async with raw_upstream(chunked(BODY, 1000)) as elsewhere:
        headers = {"location": f"{elsewhere.base_url}/chat/completions"}
        assistant.script({"status": 307, "body": "", "headers": headers})
        assert (await failure(assistant)).code == "upstream_error"
    assert elsewhere.requests == 0


async def test_a_short_failure_is_bridged(assistant: Assistant) -> None:
    assistant.script({"status": 503, "body": "busy"}, {"status": 429, "body": "{}"}, {"text": "Here again"})
    assert text(await assistant.events()) == "Here again"


async def test_the_long_error_page_of_a_proxy_is_a_failure_like_any_other(assistant: Assistant) -> None:
    assistant.script({"status": 503, "body": "<p>Down</p>" * 10_000}, {"text": "Here again"})
    assert text(await assistant.events()) == "Here again"


async def test_a_short_retry_after_is_honoured(assistant: Assistant) -> None:
    assistant.script({"status": 429, "body": "{}", "headers": {"retry-after": "1"}}, {"text": "Now"})
    started = time.monotonic()
    assert text(await assistant.events()) == "Now"
    assert time.monotonic() - started >= 1


async def test_a_long_retry_after_is_passed_on_at_once(assistant: Assistant) -> None:
    assistant.script({"status": 429, "body": "{}", "headers": {"retry-after": "3600"}, "repeat": True})
    failed = await failure(assistant)
    assert (failed.retry_after, len(assistant.bodies())) == (3600, 1)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("after", ["1.2", "date"])
async def test_a_pause_of_a_fraction_or_until_a_date_is_slept_through(
    assistant: Assistant, status: int, after: str
) -> None:
    if after == "date":
        after = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    assistant.script({"status": status, "body": "{}", "headers": {"retry-after": after}}, {"text": "Now"})
    started = time.monotonic()
    assert text(await assistant.events()) == "Now"
    assert time.monotonic() - started >= 0.9


@pytest.mark.parametrize("status", [429, 503])
async def test_a_long_pause_until_a_date_is_handed_on_at_once(assistant: Assistant, status: int) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    assistant.script({"status": status, "body": "{}", "headers": {"retry-after": date}, "repeat": True})
    started = time.monotonic()
    failed = await failure(assistant)
    assert time.monotonic() - started < 20
    assert 30 < (failed.retry_after or 0) <= 60
    assert len(assistant.bodies()) == 1
    assert 30 < int(errors.response(failed)["retry-after"]) <= 60


@pytest.mark.parametrize("value", ["soon", "-1", "", "nan", "Sat, 99 Nov"])
def test_a_pause_that_makes_no_sense_is_none(value: str) -> None:
    assert retry_after({"Retry-After": value}) is None


@IMPATIENT
@pytest.mark.parametrize(
    "step",
    [{"text": "late", "delay_s": 30}, {"text": "word by word", "chunk_delay_s": 30}],
    ids=["start", "later"],
)
async def test_silence_is_a_timeout_and_frees_the_connection(
    assistant: Assistant, step: dict[str, Any]
) -> None:
    assistant.script(step)
    started = time.monotonic()
    failed = await failure(assistant)
    assert (failed.status_code, failed.code) == (504, "upstream_timeout")
    assert time.monotonic() - started < 15
    assistant.llm.wait_for_outcome(assistant.conversation, "disconnected", within_s=15)


@IMPATIENT
async def test_silence_after_the_finish_reason_loses_nothing(assistant: Assistant) -> None:
    stop = json.dumps({"choices": [{"index": 0, "delta": {"content": "Done."}, "finish_reason": "stop"}]})
    assistant.script({"sse": [f"data: {stop}\n\n", "data: [DONE]\n\n"], "chunk_delay_s": 30})
    assert text(await assistant.events()) == "Done."


DELTA = 'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'


LIMITED = 'data: {"error":{"message":"canary","code":429}}\n\n'


HTML = "<html>Sign in</html>"


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "cut": ({"text": "a b c d e", "cut_after": 3}, "upstream_error"),
    "without an end": ({"sse": [DELTA]}, "upstream_error"),
    "cut in JSON": ({"sse": [DELTA[:40]]}, "upstream_invalid_response"),
    "garbage": ({"sse": ["data: ~~~~\n\n"]}, "upstream_invalid_response"),
    "nothing": ({"sse": [""]}, "upstream_invalid_response"),
    "an error event": ({"sse": [LIMITED]}, "upstream_rate_limited"),
    "HTML": ({"body": HTML, "headers": {"content-type": "text/html"}}, "upstream_invalid_response"),
    "HTML as JSON": ({"body": HTML}, "upstream_invalid_response"),
    "an error object": ({"body": '{"error":{"message":"canary"}}'}, "upstream_error"),
    "other JSON": ({"body": '{"hello":1}'}, "upstream_error"),
}


@pytest.mark.parametrize(("step", "code"), BROKEN.values(), ids=BROKEN)
async def test_a_broken_answer_is_an_error(assistant: Assistant, step: dict[str, Any], code: str) -> None:
    assistant.script(step)
    failed = await failure(assistant)
    assert failed.code == code
    assert "canary" not in f"{failed!r} {failed}"


async def test_a_service_that_does_not_stream_is_understood(assistant: Assistant) -> None:
    message = {"role": "assistant", "content": "All at once"}
    usage = {"prompt_tokens": 3, "completion_tokens": 4}
    body = {"choices": [{"index": 0, "message": message, "finish_reason": "length"}], "usage": usage}
    assistant.script({"body": json.dumps(body)})
    events = await assistant.events()
    assert text(events) == "All at once"
    assert events[-2:] == [Usage(3, 4), Finished("length", 1)]


async def test_a_megabyte_in_one_delta_arrives_whole(assistant: Assistant) -> None:
    delta = json.dumps(
        {"choices": [{"index": 0, "delta": {"content": "x" * 1_000_000}, "finish_reason": "stop"}]}
    )
    assistant.script({"sse": [f"data: {delta}\n\n"]})
    assert len(text(await assistant.events())) == 1_000_000


@pytest.mark.parametrize("agent", [3], indirect=True)
async def test_a_crowd_before_a_hanging_service_is_turned_away_at_once(
    assistant: Assistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "MAX_CALLS_PER_UPSTREAM", 2)
    assistant.script({"text": "late", "delay_s": 60, "repeat": True})
    waiting = [asyncio.create_task(failure(assistant)) for _ in range(2)]
    await wait_for(lambda: len(assistant.bodies()) == 2)
    failed = await failure(assistant)
    assert (failed.status_code, failed.code) == (503, "overloaded")
    assert not any(each.done() for each in waiting)
    assert {(await each).code for each in waiting} == {"upstream_timeout"}
    assert (await failure(assistant)).code == "upstream_timeout"  # the permits are free again


async def test_the_whole_run_has_a_deadline(assistant: Assistant, settings: Settings) -> None:
    settings.RUN_DEADLINE_S = 0.6
    assistant.script({"text": "on and " * 200, "chunk_delay_s": 0.2})
    started = time.monotonic()
    failed = await failure(assistant)
    assert (failed.code, failed.status_code) == ("upstream_timeout", 504)
    assert time.monotonic() - started < 20
    assistant.llm.wait_for_outcome(assistant.conversation, "disconnected", within_s=15)


async def test_closing_a_run_closes_the_connection_to_the_model(assistant: Assistant) -> None:
    assistant.script({"text": "one two three", "chunk_delay_s": 1})
    events = run(assistant.request())
    await anext(events)
    await events.aclose()
    assistant.llm.wait_for_outcome(assistant.conversation, "disconnected", within_s=15)


async def test_a_run_needs_the_lifespan(assistant: Assistant) -> None:
    request = assistant.request()
    async with lifespan():
        pass
    with pytest.raises(RuntimeError, match="lifespan"):
        await anext(run(request))
