import asyncio
import json
import time
from collections.abc import AsyncGenerator

import pytest

from assistants.errors import UpstreamFailed
from assistants.events import Event, Finished, TextDelta, Usage
from assistants.openai_api.chat.render import Chunks
from assistants.openai_api.http import event_stream
from assistants.openai_api.sse import DONE, HEARTBEAT, stream

END: list[Event] = [Usage(1, 1), Finished("stop", 1)]


class Run:
    """Events with pauses (numbers, in seconds) and failures between them."""

    def __init__(self, *steps: Event | float | Exception) -> None:
        self.steps = steps
        self.ended = False
        self.reached = 0

    async def __call__(self) -> AsyncGenerator[Event, None]:
        try:
            for step in self.steps:
                self.reached += 1
                if isinstance(step, Exception):
                    raise step
                if isinstance(step, int | float):
                    await asyncio.sleep(step)
                else:
                    yield step
        finally:
            await asyncio.sleep(0)  # as a real one, which has connections to close
            self.ended = True


def streamed(run: Run, heartbeat_s: float = 10) -> AsyncGenerator[bytes, None]:
    return stream(run(), Chunks("m", include_usage=False), heartbeat_s=heartbeat_s)


async def test_it_ends_with_done() -> None:
    pieces = [piece async for piece in streamed(Run(TextDelta("a"), TextDelta("b"), *END))]
    assert pieces[-1] == DONE
    assert b"".join(pieces).count(b"\n\n") == 5


async def test_events_that_are_there_go_out_together() -> None:
    texts = [TextDelta(str(number)) for number in range(1_000)]
    pieces = [piece async for piece in streamed(Run(*texts, *END))]
    assert len(pieces) < 20
    assert b"".join(pieces).count(b'"content":') == 1_001


async def test_it_beats_while_the_run_is_silent() -> None:
    pieces = [piece async for piece in streamed(Run(TextDelta("a"), 0.5, TextDelta("b"), *END), 0.1)]
    assert 3 <= pieces.count(HEARTBEAT) <= 5
    assert pieces[-1] == DONE


async def test_a_failure_before_the_first_event_is_raised_before_any_byte() -> None:
    with pytest.raises(UpstreamFailed):
        await event_stream(streamed(Run(UpstreamFailed("upstream_timeout", "Too slow."))))


async def test_a_later_failure_is_the_last_event() -> None:
    run = Run(TextDelta("a"), 0, UpstreamFailed("upstream_error", "It broke."))
    pieces = [piece async for piece in streamed(run)]
    error = json.loads(pieces[-1].removeprefix(b"data: "))["error"]
    assert error == {"message": "It broke.", "type": "server_error", "param": None, "code": "upstream_error"}
    assert b"[DONE]" not in b"".join(pieces)


async def test_an_unexpected_failure_reveals_nothing(caplog: pytest.LogCaptureFixture) -> None:
    run = Run(TextDelta("a"), 0, RuntimeError("the password is 1234"))
    pieces = [piece async for piece in streamed(run)]
    error = json.loads(pieces[-1].removeprefix(b"data: "))["error"]
    assert error["code"] == "internal_error"
    assert b"1234" not in b"".join(pieces)
    assert "Unexpected error" in caplog.text


async def test_closing_it_closes_the_run() -> None:
    run = Run(TextDelta("a"), 60)
    response = await event_stream(streamed(run))
    events = aiter(response)
    await anext(events)
    started = time.monotonic()
    await events.aclose()
    assert run.ended
    assert time.monotonic() - started < 20


async def test_cancelling_who_waits_for_the_first_event_closes_the_run() -> None:
    run = Run(60)
    waiting = asyncio.create_task(event_stream(streamed(run)))
    await asyncio.sleep(0.05)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    assert run.ended


async def test_a_response_that_nobody_reads_closes_the_run() -> None:
    run = Run(TextDelta("a"), 60)
    response = await event_stream(streamed(run))
    del response
    await asyncio.sleep(0.05)
    assert run.ended


async def test_a_run_does_not_get_far_ahead_of_a_slow_caller() -> None:
    run = Run(*[TextDelta("x")] * 10_000, *END)
    events = streamed(run)
    await anext(events)
    await asyncio.sleep(0.05)
    assert run.reached < 1_000
    pieces = [piece async for piece in events]
    assert pieces[-1] == DONE
    assert run.reached == 10_002
