"""A remote server that floods with notifications: most are dropped before anything else reads them."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from connector.session.limits import CappedTransport
from connector.session.notification_limit import MOST_A_SECOND


class Events(httpx2.AsyncByteStream):
    def __init__(self, messages: list[dict[str, Any]]) -> None:
        self._messages = messages

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for message in self._messages:
            yield b"event: message\ndata: " + json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n\n"

    async def aclose(self) -> None:
        pass


async def read(transport: CappedTransport) -> list[Any]:
    async with httpx2.AsyncClient(transport=transport) as client, client.stream("GET", "http://host/") as got:
        lines = [line async for line in got.aiter_lines()]
    return [json.loads(line[5:]) for line in lines if line.startswith("data:") and line[5:].strip()]


def transport(messages: list[dict[str, Any]]) -> CappedTransport:
    def answer(_: Any) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=Events(messages))

    return CappedTransport(httpx2.MockTransport(answer), 1_000_000)


CHANGED = {"method": "notifications/tools/list_changed"}
PROGRESS = {"method": "notifications/progress", "params": {"progressToken": 1, "progress": 1}}


@pytest.mark.parametrize("flood", [CHANGED, PROGRESS], ids=["changes", "progress"])
async def test_a_flood_is_dropped_and_answers_pass(flood: dict[str, Any]) -> None:
    answer = {"id": 1, "result": {}}
    found = await read(transport([*[flood] * 200, answer]))
    assert found[-1]["result"] == {}
    assert len(found) == MOST_A_SECOND + 1


async def test_a_flood_may_not_spread_over_streams() -> None:
    server = transport([CHANGED] * 15)
    assert len(await read(server)) + len(await read(server)) == MOST_A_SECOND


async def test_calls_have_their_own_progress() -> None:
    calls = [{**PROGRESS, "params": {"progressToken": call, "progress": 1}} for call in range(100)]
    assert len(await read(transport(calls))) == 100
