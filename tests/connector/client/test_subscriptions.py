"""Subscriptions to resources, at servers of both eras."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from connector.client import calls, subscriptions
from connector.errors import CallFailed, ServerError
from tests.connector.conftest import SERVERS, wait_for
from tools import actions
from tools.models import MCPTool, Status

URI = "memo://a"


@pytest.fixture(params=["session", "modern"])
async def asking(request: Any, servers: Any, supervise: Any, caller: Any) -> MCPTool:
    supervise()
    server: MCPTool = await servers.running(args=[str(SERVERS / "asking.py"), request.param], name="asking")
    return server


async def subscribed(server: MCPTool) -> list[str]:
    result = await calls.call(server.pk, "subscribed", {}, timeout_s=5)
    return list(json.loads(result.content[0]["text"]))


async def touch(server: MCPTool, uri: str) -> None:
    await calls.call(server.pk, "touch", {"uri": uri}, timeout_s=5)


@asynccontextmanager
async def counted(server: MCPTool, uri: str) -> AsyncIterator[list[None]]:
    """Yields a list that grows by each update."""
    found: list[None] = []

    async def count() -> None:
        async with aclosing(subscriptions.updates(server.pk, uri)) as updates:
            async for _ in updates:
                found.append(None)

    counting = asyncio.create_task(count())
    try:
        yield found
    finally:
        counting.cancel()
        await asyncio.gather(counting, return_exceptions=True)


async def is_subscribed(server: MCPTool, *uris: str) -> None:
    async def reached() -> bool:
        return await subscribed(server) == list(uris)

    await wait_for(reached)


async def test_updates_of_a_resource_and_its_parts_are_reported(asking: MCPTool) -> None:
    async with counted(asking, URI) as found:
        await is_subscribed(asking, URI)
        await touch(asking, URI)
        await wait_for(lambda: len(found) == 1)
        await touch(asking, "memo://b")
        await touch(asking, f"{URI}/part")
        await wait_for(lambda: len(found) == 2)
    await is_subscribed(asking)


async def test_a_resource_is_subscribed_to_once_for_all(asking: MCPTool) -> None:
    async with counted(asking, URI) as first:
        async with counted(asking, URI) as second:
            await is_subscribed(asking, URI)
            await touch(asking, URI)
            await wait_for(lambda: first and second)
        await touch(asking, URI)
        await wait_for(lambda: len(first) == 2)
        assert len(second) == 1
    await is_subscribed(asking)
    async with counted(asking, URI) as found:
        await is_subscribed(asking, URI)
        await touch(asking, URI)
        await wait_for(lambda: found)


async def test_a_refused_subscription_is_an_error(asking: MCPTool) -> None:
    with pytest.raises((ServerError, CallFailed)) as refused:
        await anext(subscriptions.updates(asking.pk, "memo://secret"))
    assert isinstance(refused.value, CallFailed) or refused.value.code == -32002


async def test_a_subscription_outlives_a_restart_of_the_server(asking: MCPTool, servers: Any) -> None:
    async with counted(asking, URI) as found:
        await is_subscribed(asking, URI)
        await servers.act(actions.restart, asking)
        await wait_for(lambda: found)  # something may have changed meanwhile
        await servers.wait_until(asking, Status.RUNNING)
        await is_subscribed(asking, URI)
        await touch(asking, URI)
        await wait_for(lambda: len(found) == 2)
