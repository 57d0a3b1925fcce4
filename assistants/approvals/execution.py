"""Makes approved calls in a Celery worker: a job of its event loop, see `assistants.worker_loop`."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import InterfaceError, OperationalError
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_fixed

from assistants.approvals import claims, codes, sentences, standing
from assistants.approvals.claims import Claim
from assistants.approvals.gate import UNFITTING
from assistants.approvals.standing import Fell, Stands
from assistants.filtering import FilterRefused, filter_call, passed_on
from connector.client import outcomes, requests
from connector.client.requests import Exchange, InputRequired
from connector.errors import CallFailed, MayHaveRun, ServerError
from core import feed, log_context
from tools.arguments import InvalidArguments, checked

log = logging.getLogger(__name__)

MOST_AT_ONCE = 64
RENEW_S = 3.0
_RETRY_S = 1.0
_KEEP_TRYING_S = 120.0
_CANCEL_S = 4.0
STOPPED = "the worker was stopped while it made the call."
TAKEN_AWAY = "whoever asked may not call any more: the call was cut off."
BROKEN_OFF = "the connection to the server broke during the call."


class _NotCalled(Exception):
    """The call is not made. `code` is one of `codes`; the text is for the model."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class ApprovedCalls:
    """Claims approved calls, up to MOST_AT_ONCE, makes them, and keeps what comes of them."""

    def __init__(self) -> None:
        self._running: dict[Claim, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()
        self._stopping = False
        _jobs.add(self)

    def wake(self) -> None:
        self._changed.set()

    def stop(self) -> None:
        self._stopping = True
        self.wake()

    async def live(self) -> None:
        """Works until it is stopped; then lets calls finish for SUPERVISOR_DRAIN_S, and cuts off the rest."""
        try:
            while not self._stopping:
                wait_s = await self._round()
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await self._changed.wait()
                self._changed.clear()
        finally:
            _jobs.discard(self)
            await self._drain()

    async def _round(self) -> float | None:
        """Returns for how many seconds to wait for something to change; None: however long it takes."""
        try:
            await self._renew()
            await claims.tend_lost()
            await self._claim()
        except DatabaseError as error:
            log.warning("Approved calls: the database is away (%s).", type(error).__name__)
            return _RETRY_S
        except Exception:  # a round's boundary: the calls that run go on, and the next round comes
            log.exception("Approved calls: a round failed")
            return _RETRY_S
        return RENEW_S if self._running else None

    async def _claim(self) -> None:
        for number in await claims.approved(MOST_AT_ONCE - len(self._running)):
            if self._stopping:
                return
            if (claim := await claims.claim(number)) is not None:
                self._begin(claim)

    def _begin(self, claim: Claim) -> None:
        task = self._running[claim] = asyncio.create_task(self._make(claim))
        task.add_done_callback(lambda _: self._forget(claim))

    def _forget(self, claim: Claim) -> None:
        self._running.pop(claim, None)
        self.wake()  # there is room for another one

    async def _renew(self) -> None:
        if not self._running:
            return
        renewed = await claims.renew(list(self._running))
        for claim, task in self._running.items():
            if claim.fence not in renewed and not task.cancelling():
                task.cancel()

    async def _drain(self) -> None:
        tasks = list(self._running.values())
        if tasks:
            await asyncio.wait(tasks, timeout=settings.SUPERVISOR_DRAIN_S)
        left = [task for task in tasks if not task.done()]
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=_CANCEL_S)

    async def _make(self, claim: Claim) -> None:
        """Makes the call, and keeps its outcome. Nothing of it is repeated but the writing."""
        try:
            result = await _call(claim)
        except MayHaveRun:
            await _kept(lambda: claims.lose(claim, BROKEN_OFF))
        except asyncio.CancelledError:
            await _kept(lambda: claims.lose(claim, STOPPED if self._stopping else TAKEN_AWAY))
        except Exception:  # a tool call is a boundary: the others go on
            log.exception("Approved call %s failed unexpectedly", claim.number)
            await _kept(lambda: claims.finish(claim, _failure(outcomes.INTERNAL_ERROR, "The call failed.")))
        else:
            await _kept(lambda: claims.finish(claim, result))


async def _call(claim: Claim) -> dict[str, Any]:
    """Returns what `Approval.result` holds. Raises MayHaveRun."""
    function = claim.function
    log_context.take({"key": claim.about.key_prefix})
    try:
        arguments = await _filtered(claim)
    except _NotCalled as refusal:
        return _failure(refusal.code, str(refusal))
    params = {"name": function.name, "arguments": arguments}
    # Never by what the server says of itself: a broken call is repeated by `claims.tend_lost`, or not at all.
    exchange = Exchange(key_id=claim.key_id, is_repeatable=False)
    try:
        answer = await requests.send(
            function.server_id, "tools/call", params, timeout_s=function.timeout_s, exchange=exchange
        )
    except MayHaveRun:
        raise
    except (CallFailed, ServerError) as failure:
        return _failure(outcomes.code_of_failure(failure), failure.message)
    if isinstance(answer, InputRequired):
        return _failure("refused", "The tool asks for input from a person, which cannot be given here.")
    # What is kept is what may be seen: it is told later, in many ways, of a tool that may be gone by then.
    clean = sentences.cut_in(answer)
    return {"result": await passed_on(function, clean, claim.about, masks_secrets=claim.masks_secrets)}


async def _filtered(claim: Claim) -> dict[str, Any]:
    """Asks the filter once more: a person may have written these arguments after it had seen others.

    As in the gate, the rules have the last word about what it makes of them. Raises _NotCalled.
    """
    try:
        arguments = await filter_call(claim.function, claim.arguments, claim.about)
        if arguments == claim.arguments:
            return arguments
        fitting = await checked(claim.function.input_schema, arguments)
    except FilterRefused as refusal:
        raise _NotCalled(codes.FILTERED, f"Not called: {refusal}") from refusal
    except InvalidArguments as error:
        raise _NotCalled(codes.FILTERED, UNFITTING) from error
    match await standing.filtered(claim.number, claim.function, fitting):
        case Fell(reason):
            raise _NotCalled(codes.DENIED, reason)
        case Stands(_, judged):
            return judged


def _failure(code: str, message: str) -> dict[str, Any]:
    return {"failure": {"code": code, "message": str(message)}}


async def _kept(write: Callable[[], Awaitable[object]]) -> None:
    """Repeats a write while the database is away: by its fence it has no effect where it comes too late."""
    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type((OperationalError, InterfaceError)),
        wait=wait_fixed(_RETRY_S),
        stop=stop_after_delay(_KEEP_TRYING_S),
        reraise=True,
    ):
        with attempt:
            await write()


def _wake() -> None:
    for job in _jobs:
        job.wake()


_jobs: set[ApprovedCalls] = set()
feed.subscribe(["assistants_approval"], _wake)
