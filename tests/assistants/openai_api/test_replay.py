"""The copy of a streamed answer: followed by its caller, stored for a repetition, and bounded."""

import asyncio
from contextlib import aclosing

import pytest

from assistants.openai_api import replay
from assistants.openai_api.replay import StreamCopy
from assistants.openai_api.sse import HEARTBEAT


async def write(copy: StreamCopy, *pieces: bytes | Exception, pause_s: float = 0) -> None:
    for piece in pieces:
        await asyncio.sleep(pause_s)
        if isinstance(piece, Exception):
            raise piece
        copy.add(piece)


async def test_who_follows_gets_every_piece_as_it_comes_and_the_store_no_heartbeats() -> None:
    copy = StreamCopy(is_followed=True)
    source = asyncio.create_task(write(copy, b"a", HEARTBEAT, b"b", pause_s=0.02))
    assert [piece async for piece in copy.follow(source)] == [b"a", HEARTBEAT, b"b"]
    assert copy.answer() == {"status": 200, "type": "text/event-stream", "body": "ab"}


async def test_who_follows_late_gets_it_all() -> None:
    copy = StreamCopy(is_followed=True)
    source = asyncio.create_task(write(copy, b"a", b"b"))
    await source
    assert [piece async for piece in copy.follow(source)] == [b"a", b"b"]


async def test_who_follows_gets_the_failure_of_the_source_after_its_pieces() -> None:
    copy = StreamCopy(is_followed=True)
    source = asyncio.create_task(write(copy, b"a", RuntimeError("broken")))
    seen = []
    with pytest.raises(RuntimeError, match="broken"):
        seen += [piece async for piece in copy.follow(source)]
    assert not source.cancelled()


async def test_leaving_does_not_end_the_source() -> None:
    copy = StreamCopy(is_followed=True)
    source = asyncio.create_task(write(copy, b"a", b"b", b"c", pause_s=0.02))
    async with aclosing(copy.follow(source)) as pieces:
        await anext(pieces)
    await source
    assert copy.answer() == {"status": 200, "type": "text/event-stream", "body": "abc"}


@pytest.mark.parametrize("leaves", [False, True])
async def test_what_is_too_long_to_be_stored_is_not_held_for_nobody(
    monkeypatch: pytest.MonkeyPatch, leaves: bool
) -> None:
    monkeypatch.setattr(replay, "MOST_BYTES", 3)
    copy = StreamCopy(is_followed=True)
    source = asyncio.create_task(write(copy, *[b"xx"] * 5, pause_s=0.01))
    async with aclosing(copy.follow(source)) as pieces:
        await anext(pieces)
        rest = [] if leaves else [piece async for piece in pieces]
    await source
    assert (copy.answer(), len(rest)) == (None, 0 if leaves else 4)
    assert len(copy._pieces) == (0 if leaves else 5)
