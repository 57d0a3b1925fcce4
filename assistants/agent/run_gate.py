"""What a run's calls pass before they are made, and the waiting for those that somebody must agree to."""

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from django.conf import settings
from strands.types.tools import ToolResult

from assistants.agent import approval_results, tool_results
from assistants.agent.run_request import RunRequest
from assistants.approvals import (
    Admitted,
    Asking,
    Gate,
    Outcome,
    Refused,
    Ticket,
    TooManyWaiting,
    ask,
    codes,
    outcome,
    sentences,
    transcripts,
)
from assistants.approvals.sentences import Waiting
from assistants.catalogue.entries import FunctionEntry
from assistants.events import ApprovalStep, RunEvent
from assistants.models import Approver
from connector.wire.results import CallResult
from core.database import DATABASE_ERRORS

KEY = "run_gate"
"""Where it stands in Strands' invocation state, from which tools take it: they are shared by all runs."""
_ENDING_S = 10.0
"""How long before the run's deadline the waiting ends, so that the answer still can."""
_NOT_BESIDE = (
    "Not called, and nobody was asked: the caller must approve this call, and cannot while it has a call of "
    "its own tools to answer. Call it again in a turn without calls of the caller's tools."
)


@dataclass(frozen=True, slots=True)
class _Pending:
    ticket: Ticket
    function: FunctionEntry


class RunGate:
    """Stands before each call of one run. All that the run waits for share one deadline, the hold."""

    def __init__(self, request: RunRequest, emit: Callable[[RunEvent], None]) -> None:
        self._gate = request.gate
        self._request = request
        self._emit = emit
        self._pending: dict[str, _Pending] = {}
        self._deadline = time.monotonic() + settings.RUN_DEADLINE_S - _ENDING_S
        self._hold_ends: float | None = None
        self._ended = asyncio.Event()
        self._holding = 0
        self._transcript = ""
        self._calls_client = False

    @property
    def is_holding(self) -> bool:
        return self._holding > 0

    @property
    def is_waiting(self) -> bool:
        """Whether a call of the run has no result, because nobody has agreed to it yet."""
        return bool(self._pending)

    @property
    def waiting(self) -> dict[str, int]:
        return {call_id: each.ticket.number for call_id, each in self._pending.items()}

    @property
    def keeps_open(self) -> bool:
        """Whether calls that wait stay open, for another run to end them."""
        return self._request.is_resumable

    @property
    def awaits(self) -> tuple[int, ...]:
        """What another run waits for; () where the answer ends, and its caller goes on."""
        asks_caller = any(self._asks_caller(each.ticket) for each in self._pending.values())
        return () if asks_caller or not self.keeps_open else tuple(sorted({*self.waiting.values()}))

    @property
    def told(self) -> list[Waiting]:
        """The calls that the sentence at the end of the answer tells of, each approval once."""
        shown = {
            each.ticket.number: Waiting(
                each.ticket.number, each.function.server_name, each.function.name, each.ticket.code
            )
            for each in self._pending.values()
            if not self._asks_caller(each.ticket)
        }
        return list(shown.values())

    def end_hold(self) -> None:
        """Ends the waiting at once: the answer ends, and says what waits."""
        self._ended.set()

    def begin_turn(self, names: Collection[str]) -> None:
        """`names`: of the tools that the model calls in this turn."""
        self._calls_client = not self._request.client_names.isdisjoint(names)

    async def admit(
        self, function: FunctionEntry, arguments: dict[str, object]
    ) -> Admitted | Refused | Asking:
        return await self._required.admit(function, arguments)

    async def released(self, function: FunctionEntry, result: CallResult) -> CallResult:
        """Returns the result as the model and the caller get it."""
        structured = sentences.cut_in(result.structured_content)
        clean = replace(result, content=sentences.cut_in(result.content), structured_content=structured)
        return await self._required.released(function, clean)

    async def asked(
        self, function: FunctionEntry, call_id: str, asking: Asking
    ) -> tuple[ToolResult, str | None]:
        """Asks, and waits for the outcome. Returns the result for the model, and the code of a failure."""
        # The run ends with calls of the caller's tools then, and no answer of ours is held for its decision.
        if self._calls_client and asking.verdict.approver == Approver.CALLER:
            return tool_results.error(call_id, _NOT_BESIDE), codes.NOT_APPROVED
        try:
            ticket = await self._ask(function, asking)
        except TooManyWaiting as error:
            return tool_results.error(call_id, str(error)), codes.NOT_APPROVED
        except DATABASE_ERRORS:
            text = "Not called: it must be approved, and nobody can be asked now."
            return tool_results.error(call_id, text), codes.NOT_APPROVED
        self._step(ticket, "waiting", function, call_id, asking)
        found = await self._outcome(ticket)
        if found is None:
            self._pending[call_id] = _Pending(ticket, function)
            return approval_results.still_waiting(call_id, ticket.number), codes.PENDING
        self._step(ticket, approval_results.state_of(found), function, call_id, asking)
        return approval_results.told(call_id, found)

    def shows_caller(self, asking: Asking) -> bool:
        """Whether the caller is shown the call instead of a result."""
        return self._request.shows_approvals and asking.verdict.approver == Approver.CALLER

    @property
    def _required(self) -> Gate:
        """Without a gate nothing is called: a run has none where only the tokens of its input are counted."""
        if self._gate is None:
            raise RuntimeError("Calls of tools need a gate.")
        return self._gate

    async def _ask(self, function: FunctionEntry, asking: Asking) -> Ticket:
        self._transcript = self._transcript or self._request.asked_as or self._digest()
        return await ask(self._required.question(function, asking, transcript=self._transcript))

    def _digest(self) -> str:
        return transcripts.digest(transcripts.turn(self._request.visible))

    async def _outcome(self, ticket: Ticket) -> Outcome | None:
        """Returns None where nobody has decided when the hold ends."""
        # Whoever decides by a code learns it from the answer's end.
        wait_s = 0.0 if ticket.code else self._left_s()
        self._holding += 1
        waiting = asyncio.ensure_future(outcome(ticket.number, wait_s=wait_s))
        ended = asyncio.ensure_future(self._ended.wait())
        try:
            await asyncio.wait({waiting, ended}, return_when=asyncio.FIRST_COMPLETED)
            return waiting.result() if waiting.done() else None
        finally:
            self._holding -= 1
            waiting.cancel()
            ended.cancel()

    def _left_s(self) -> float:
        now = time.monotonic()
        if self._hold_ends is None:
            self._hold_ends = min(now + self._request.hold_s, self._deadline)
        return max(0.0, self._hold_ends - now)

    def _asks_caller(self, ticket: Ticket) -> bool:
        return self._request.shows_approvals and ticket.approver == Approver.CALLER

    def _step(
        self, ticket: Ticket, state: str, function: FunctionEntry, call_id: str, asking: Asking
    ) -> None:
        self._emit(
            ApprovalStep(
                ticket.number,
                state,
                call_id,
                function.server_name,
                function.server_slug,
                function.name,
                asking.arguments,
                asks_caller=self._asks_caller(ticket),
                is_joined=ticket.is_joined,
            )
        )
