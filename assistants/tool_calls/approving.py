"""Calls that somebody must agree to: asked about, and held like slow ones until their outcome is known.

A worker makes the call, once, whoever waits for it: see `assistants.approvals`. What waits stays when its
caller leaves, or cancels its request: people may still decide, and an equal call gets the result.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from typing import Any, cast

from assistants.actions import approvals
from assistants.approvals import (
    Asker,
    Asking,
    Failure,
    Gate,
    NotMade,
    Outcome,
    Result,
    TooManyWaiting,
    ask,
    delivered,
    holds,
    outcome,
)
from assistants.approvals.codes import DENIED, FILTERED, NOT_APPROVED
from assistants.catalogue import FunctionEntry
from assistants.models import Approval
from assistants.tool_calls import questions
from assistants.tool_calls.called import Called
from assistants.tool_calls.not_called import ApprovalPending, NotCalled
from assistants.tool_calls.questions import Reply
from connector.client.requests import Exchange, InputRequired
from connector.errors import CallFailed, FailureCode
from connector.wire.results import Progress
from core.database import in_thread
from core.errors import Conflict, ServerStopping

FIRST_PROGRESS_S, PROGRESS_EVERY_S = 0.5, 5.0
_CANNOT_BE_ASKED = "The rule lets the caller decide, but this client cannot be asked: staff decide instead. "
_NOT_ANSWERED = "The client was asked and did not answer: staff may decide instead. "

OnProgress = Callable[[Progress], None]


class Approving:
    """Asks about one call of a caller's, and waits for what becomes of it."""

    def __init__(
        self,
        asker: Asker,
        function: FunctionEntry,
        exchange: Exchange,
        on_asked: Callable[[int], None],
    ) -> None:
        """`on_asked` gets the number of the approval that this call waits for, and no other call before."""
        self._asker, self._function, self._exchange = asker, function, exchange
        self._on_asked = on_asked
        self._waits_for: int | None = None

    @contextmanager
    def outliving_shutdown(self) -> Iterator[None]:
        """Where the process ends while the call is held, its caller is told what waits."""
        try:
            yield
        except ServerStopping as stopping:
            if self._waits_for is None:
                raise
            raise ApprovalPending(self._waits_for, self._function) from stopping

    async def ask(self, gate: Gate, asking: Asking, arguments: dict[str, Any]) -> Called | InputRequired:
        """Asks. `arguments`: as the caller gave them. Raises NotCalled and CallFailed."""
        try:
            ticket = await ask(gate.question(self._function, asking))
        except TooManyWaiting as error:
            raise NotCalled(NOT_APPROVED, str(error)) from error
        can_be_asked = questions.can_be_asked(self._exchange)
        if not ticket.is_joined and not (ticket.code and can_be_asked):
            self._on_asked(ticket.number)
        if not ticket.code:  # staff decide, or somebody has decided
            return await self._held(ticket.number, _hold_s(self._exchange))
        if not can_be_asked:
            raise ApprovalPending(ticket.number, self._function, _CANNOT_BE_ASKED)
        state = questions.sealed(ticket.number, self._asker, self._function, arguments)
        return await questions.question(ticket.number, self._function, asking.arguments, state)

    async def go_on(self, arguments: dict[str, Any]) -> Called:
        """Takes in what the client was asked. Raises InvalidState, NotCalled and CallFailed.

        The rules are not asked again: the worker does, before it makes the call.
        """
        number = questions.opened(self._exchange.state, self._asker, self._function, arguments)
        self._on_asked(number)
        reply = questions.reply(self._exchange.responses)
        if reply is None:
            return await self._held(number, 0.0, _NOT_ANSWERED)
        await _decide(number, self._asker, reply)
        return await self._held(number, _hold_s(self._exchange))

    async def _held(self, number: int, hold_s: float, why: str = "") -> Called:
        self._waits_for = number
        found = await _outcome(number, hold_s, self._exchange.on_progress)
        self._waits_for = None
        if found is None:
            raise ApprovalPending(number, self._function, why)
        await delivered([number])
        if isinstance(found, Result):
            return Called(found.result, found.note)
        raise _error_of(found)


def _error_of(found: Failure | NotMade) -> CallFailed | NotCalled:
    if isinstance(found, Failure):
        if found.code in {DENIED, FILTERED}:  # when the worker was about to make the call
            return NotCalled(found.code, found.message)
        return CallFailed(cast(FailureCode, found.code), found.message)
    return NotCalled(found.code, found.text)


async def _outcome(number: int, hold_s: float, on_progress: OnProgress | None) -> Outcome | None:
    if on_progress is None:
        return await outcome(number, wait_s=hold_s)
    telling = asyncio.ensure_future(_tell(number, on_progress))
    try:
        return await outcome(number, wait_s=hold_s)
    finally:
        telling.cancel()


async def _tell(number: int, on_progress: OnProgress) -> None:
    for step in count(1):
        await asyncio.sleep(FIRST_PROGRESS_S if step == 1 else PROGRESS_EVERY_S)
        on_progress(Progress(step, message=f"Waiting for approval {number}."))


def _hold_s(exchange: Exchange) -> float:
    """Returns for how long the call is held. Clients that see progress do not give up after a minute."""
    return holds.of(is_streamed=exchange.on_progress is not None)


@in_thread
def _decide(number: int, asker: Asker, reply: Reply) -> None:
    rows = Approval.objects.filter(pk=number, owner=asker.owner, end_user=asker.end_user)
    if (row := rows.first()) is None:
        return
    with suppress(Conflict):  # somebody has decided meanwhile, or only staff may by now
        approvals.decide_by_caller(row, by=asker.actor, approves=reply.approves, reason=reply.reason)
