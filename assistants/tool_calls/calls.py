"""A call of a tool, and the other requests of an MCP client: within the limits of the key that asks.

Where a server asks back, a round ends with InputRequired. The next round has its `state` and goes on with the
same call: it is not counted in the limits again, nor recorded, nor are its arguments checked.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Protocol

from apikeys import limits
from apikeys.principal import Principal
from assistants.agent.cancellation import cancellable
from assistants.catalogue.entries import FunctionEntry
from assistants.tool_calls.asked import Asked
from assistants.tool_calls.record import Record
from connector.client import requests
from connector.client.requests import NONE, Exchange, InputRequired
from tools.arguments import checked

Answer = dict[str, Any] | InputRequired


class Target(Protocol):
    """A server, such as a ServerEntry."""

    @property
    def id(self) -> int: ...

    @property
    def timeout_s(self) -> float: ...


async def call(
    asked: Asked, function: FunctionEntry, arguments: Mapping[str, Any], exchange: Exchange = NONE
) -> Answer:
    """Calls a tool that the caller may use. Returns its result as wire JSON, also where that is an error.

    Raises LimitReached, LimitsUnavailable, InvalidArguments, CallFailed, ServerError, and where the call is
    ended from outside InvalidApiKey, RunCancelled or ServerStopping.
    """
    given = dict(arguments)
    if exchange.state:
        async with cancellable(asked.principal):
            return await _send_call(asked, function, given, exchange)
    async with _permitted(asked.principal):
        record = Record(asked, function)
        with record.kept(given):
            async with cancellable(asked.principal, record.run_id):
                fitting = await checked(function.input_schema, given)
                answer = await _send_call(asked, function, fitting, exchange)
            record.answered(answer)
            return answer


async def request(
    asked: Asked, server: Target, method: str, params: Mapping[str, Any], exchange: Exchange = NONE
) -> Answer:
    """Reads a resource, gets a prompt or completes an argument: whatever leaves no run.

    Raises LimitReached, LimitsUnavailable, CallFailed, ServerError, InvalidApiKey and ServerStopping.
    """
    if exchange.state:
        async with cancellable(asked.principal):
            return await _send(asked, server, method, params, exchange)
    async with _permitted(asked.principal), cancellable(asked.principal):
        return await _send(asked, server, method, params, exchange)


@asynccontextmanager
async def _permitted(principal: Principal) -> AsyncIterator[None]:
    limiter = limits.current()
    await limiter.admit(principal)
    async with limiter.permit(principal):
        yield


async def _send_call(
    asked: Asked, function: FunctionEntry, arguments: dict[str, Any], exchange: Exchange
) -> Answer:
    params = {"name": function.name, "arguments": arguments}
    return await _send(asked, function, "tools/call", params, exchange)


async def _send(
    asked: Asked, target: FunctionEntry | Target, method: str, params: Mapping[str, Any], exchange: Exchange
) -> Answer:
    server_id = target.server_id if isinstance(target, FunctionEntry) else target.id
    if exchange is not NONE:  # what servers may ask back is bounded for each key
        exchange = replace(exchange, key_id=asked.principal.id)
    return await requests.send(server_id, method, params, timeout_s=target.timeout_s, exchange=exchange)
