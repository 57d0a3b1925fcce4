"""What is written in one turn of the event loop reaches the client by one write."""

import asyncio
from typing import Any, cast

import pytest

from config.joined_writes import JoinedWrites


class Recording:
    """A transport that notes what reaches it."""

    def __init__(self) -> None:
        self.done: list[Any] = []
        self.is_lost = False

    def write(self, data: bytes) -> None:
        self.done.append(data)

    def write_eof(self) -> None:
        self.done.append("eof")

    def close(self) -> None:
        self.done.append("closed")

    def is_closing(self) -> bool:
        return self.is_lost

    def get_extra_info(self, name: str) -> str:
        return f"the {name}"


@pytest.fixture
def recording() -> Recording:
    return Recording()


@pytest.fixture
async def joined(recording: Recording) -> JoinedWrites:
    return JoinedWrites(cast(asyncio.Transport, recording), asyncio.get_running_loop())


async def test_head_and_body_are_one_write(recording: Recording, joined: JoinedWrites) -> None:
    joined.write(b"head ")
    joined.write(b"body")
    assert recording.done == []
    await asyncio.sleep(0)
    assert recording.done == [b"head body"]


async def test_a_later_turn_is_a_write_of_its_own(recording: Recording, joined: JoinedWrites) -> None:
    for piece in (b"one", b"two"):
        joined.write(piece)
        await asyncio.sleep(0)
    assert recording.done == [b"one", b"two"]


@pytest.mark.parametrize(("end", "seen"), [("close", "closed"), ("write_eof", "eof")])
async def test_the_end_comes_after_what_was_written(
    recording: Recording, joined: JoinedWrites, end: str, seen: str
) -> None:
    joined.write(b"last words")
    getattr(joined, end)()
    await asyncio.sleep(0)
    assert recording.done == [b"last words", seen]


async def test_much_does_not_wait(recording: Recording, joined: JoinedWrites) -> None:
    joined.write(b"head ")
    joined.write(b"x" * 100_000)
    assert [len(each) for each in recording.done] == [100_005]


async def test_a_lost_connection_is_not_written_to(recording: Recording, joined: JoinedWrites) -> None:
    joined.write(b"too late")
    recording.is_lost = True
    await asyncio.sleep(0)
    assert recording.done == []


async def test_all_else_is_the_transports(joined: JoinedWrites) -> None:
    assert joined.get_extra_info("peername") == "the peername"
