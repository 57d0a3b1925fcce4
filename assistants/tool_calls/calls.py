"""A call of a tool, and the other requests of an MCP client: within the limits of the key that asks.

A call passes the rules first: see `assistants.approvals`. Where a server asks back, or its caller is asked
whether the call may be made, a round ends with InputRequired, and the next one has its `state`. Each round
counts in the limits, is checked and is recorded: a stateless server executes the whole call in each, and a
state can be sent many times.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Protocol

from apikeys import limits
from apikeys.principal import Principal
from assistants.agent.cancellation import cancellable
from assistants.approvals import Asking, Gate, Refused
from assistants.catalogue.entries import FunctionEntry
from assistants.tool_calls import questions, reading
from assistants.tool_calls.approving import Approving
from assistants.tool_calls.asked import Asked
from assistants.tool_calls.called import Called
from assistants.tool_calls.not_called import NotCalled
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


class Labelled(Target, Protocol):
    """A server of which staff say what it means to read from it, such as a ServerOffer."""

    @property
    def labels(self) -> frozenset[str]: ...


async def call(
    asked: Asked, function: FunctionEntry, arguments: Mapping[str, Any], exchange: Exchange = NONE
) -> Called | InputRequired:
    """Calls a tool that the caller may use, unless a rule forbids it, or wants somebody to agree first.

    Raises LimitReached, LimitsUnavailable, InvalidArguments, NotCalled, CallFailed, ServerError, and where
    the call is ended from outside InvalidApiKey, RunCancelled or ServerStopping.
    """
    given, exchange = dict(arguments), _of_key(exchange, asked.principal)
    async with _permitted(asked.principal):
        record = Record(asked, function)
        asker = asked.asker(record.run_id)
        approving = Approving(asker, function, exchange, record.asks)
        with record.kept(given), approving.outliving_shutdown():
            async with cancellable(asked.principal, record.run_id):
                fitting = await checked(function.input_schema, given)
                gate = await Gate.of(asker)
                answer = await _passed(gate, approving, function, fitting, exchange=exchange, record=record)
            record.answered(answer.result if isinstance(answer, Called) else answer)
            return answer


async def _passed(
    gate: Gate,
    approving: Approving,
    function: FunctionEntry,
    arguments: dict[str, Any],
    *,
    exchange: Exchange,
    record: Record,
) -> Called | InputRequired:
    """Has the rules judge the call, and makes it."""
    if questions.is_ours(exchange.state):
        record.sends(None)  # they stand in the round before, masked where a rule says so
        return await approving.go_on(arguments)
    passage = await gate.admit(function, arguments)
    if isinstance(passage, Refused):
        raise NotCalled(passage.code, passage.reason)
    if passage.arguments != arguments:
        record.sends(passage.arguments)
    if isinstance(passage, Asking):
        return await approving.ask(gate, passage, arguments)
    params = {"name": function.name, "arguments": passage.arguments}
    answer = await requests.send(
        function.server_id, "tools/call", params, timeout_s=function.timeout_s, exchange=exchange
    )
    return answer if isinstance(answer, InputRequired) else Called(await gate.released(function, answer))


async def give_up(server_id: int, exchange: Exchange) -> None:
    """Ends a call that waits for an answer of its caller. One that must be approved goes on waiting."""
    if not questions.is_ours(exchange.state):
        await requests.give_up(server_id, exchange)


async def request(
    asked: Asked, server: Target, method: str, params: Mapping[str, Any], exchange: Exchange = NONE
) -> Answer:
    """Completes an argument, or asks a server for something else that nobody reads and that leaves no run.

    Raises LimitReached, LimitsUnavailable, CallFailed, ServerError, InvalidApiKey and ServerStopping.
    """
    ours, timeout_s = _of_key(exchange, asked.principal), server.timeout_s
    async with _permitted(asked.principal), cancellable(asked.principal):
        return await requests.send(server.id, method, params, timeout_s=timeout_s, exchange=ours)


async def read(
    asked: Asked, server: Labelled, method: str, params: Mapping[str, Any], exchange: Exchange = NONE
) -> Answer:
    """Reads a resource or gets a prompt, which leaves no run. Raises what `request` raises, and NotRead."""
    ours, timeout_s = _of_key(exchange, asked.principal), server.timeout_s
    async with _permitted(asked.principal), cancellable(asked.principal):
        # Before it is read, as with calls: another call may be judged meanwhile.
        await reading.note(asked, server.labels)
        answer = await requests.send(server.id, method, params, timeout_s=timeout_s, exchange=ours)
        if isinstance(answer, InputRequired):
            return answer
        return await reading.released(asked, server.id, answer)


@asynccontextmanager
async def _permitted(principal: Principal) -> AsyncIterator[None]:
    limiter = limits.current()
    async with limiter.admitted(principal), limiter.permit(principal):
        yield


def _of_key(exchange: Exchange, principal: Principal) -> Exchange:
    """What servers may ask back is bounded for each key."""
    is_so = exchange is NONE or exchange.key_id == principal.id
    return exchange if is_so else replace(exchange, key_id=principal.id)
