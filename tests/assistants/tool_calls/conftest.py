"""A key, an assistant with a real server, and a process that is ready to call its tools."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from apikeys import actions as key_actions
from apikeys import limits
from apikeys.authentication import authenticate
from assistants import actions, catalogue, recording
from assistants.agent import cancellation
from assistants.models import RunKind
from assistants.tool_calls import Asked
from connector.client import calls
from core import feed
from tests.connector.conftest import BY, Servers, orm, servers, supervise

__all__ = ["servers", "supervise"]

Scene = Callable[..., Awaitable[Asked]]


@asynccontextmanager
async def recording_calls() -> AsyncIterator[None]:
    """At its end everything is written."""
    lifespans = feed.listening(), limits.lifespan(), calls.lifespan(), cancellation.lifespan()
    async with AsyncExitStack() as stack:
        for lifespan in (*lifespans, recording.lifespan()):
            await stack.enter_async_context(lifespan)
        yield


@pytest.fixture
def scene(servers: Servers, supervise: Any) -> Scene:
    """Makes an assistant of a running server, and returns how its caller asks."""

    async def make(*switches: str, limits: dict[str, int] | None = None, **fields: Any) -> Asked:
        supervise()
        server = await servers.running(*switches)
        issued = await orm(key_actions.issue)(by=BY, name="alice", **(limits or {}))
        await orm(actions.create)(by=BY, name="Shop", tools=[server], api_keys=[issued.api_key], **fields)
        principal = await authenticate(f"Bearer {issued.key}")
        return Asked(principal, "req_1", RunKind.MCP, await catalogue.find("shop", principal))

    return make
