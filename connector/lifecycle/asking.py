"""A call during which the server may ask its client back: it goes on in rounds, and waits between them."""

import asyncio
import secrets
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from connector.errors import AskedBack, CallFailed, ServerError
from connector.leases.observation import Slot
from connector.wire.results import Progress
from core.message import Message

REFUSED = -1
"""The code of MCP's own example for a person who refuses a model's answer (client/sampling)."""
INVALID_REQUEST = -32600
QUESTIONS_AT_ONCE = 8
GRACE_S = 5.0
"""For the answer of an endpoint that waits for its client as long as a call does."""
OnProgress = Callable[[Progress], None]
OnNotice = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Listener:
    """Where the reports of one round go."""

    on_progress: OnProgress
    on_log: OnNotice
    on_elicited: OnNotice


class Unasked(Exception):
    """The call by which a question was to be asked has ended before: it can be asked by another one."""


class Question:
    """A server's request, which waits for the client's answer."""

    def __init__(self, method: str, params: dict[str, Any]) -> None:
        self.wire = {"method": method, "params": params}
        self.is_told = False
        self.answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

    def resolve(self, response: Any) -> None:
        """Sets the answer: a result as wire JSON, or a ServerError for `{"error": {..}}` and what is none."""
        if self.answer.done():
            return
        result = response if isinstance(response, dict) else {"error": {}}
        if not isinstance(error := result.get("error"), Mapping):
            self.answer.set_result(result)
            return
        code, message = error.get("code"), error.get("message")
        told = ServerError(code if isinstance(code, int) else REFUSED, str(message or "The client refused."))
        self.answer.set_exception(told)

    def give_up(self) -> None:
        is_elicitation = self.wire["method"] == "elicitation/create"
        self.resolve(
            {"action": "cancel"} if is_elicitation else {"error": {"message": "The client has gone."}}
        )


class AskingCall:
    """`name` is how the next round finds it. `on_end` is called when no round will come any more.

    While no round runs it is parked, for MCP_INPUT_TIMEOUT_S at most, even if the server has answered
    meanwhile: another call's answer may have been what it waited for.
    """

    def __init__(self, slot: Slot, fence: int, key_id: int, on_end: Callable[["AskingCall"], None]) -> None:
        self.name = secrets.token_urlsafe(16)
        self.key_id = key_id
        self.listener: Listener | None = None
        self._slot = slot
        self._fence = fence
        self._on_end = on_end
        self._questions: dict[str, Question] = {}
        self._asked = 0
        self._task: asyncio.Task[dict[str, Any]] | None = None
        self._turn: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, work: Coroutine[Any, Any, dict[str, Any]]) -> None:
        """Starts the request itself. `work` raises ServerError and CallFailed."""
        self._task = asyncio.create_task(work)
        self._task.add_done_callback(self._ended)

    async def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Returns the client's answer to a server. Raises ServerError and Unasked."""
        if len(self._questions) >= QUESTIONS_AT_ONCE:
            raise ServerError(INVALID_REQUEST, "Too many questions at once.")
        self._asked += 1
        name = f"{method.partition('/')[0]}-{self._asked}"
        question = self._questions[name] = Question(method, params)
        self._wake()
        try:
            return await question.answer
        finally:
            self._questions.pop(name, None)

    def answer(self, responses: Mapping[str, Any]) -> None:
        """Passes responses on. What they leave out is asked again."""
        for name, question in self._questions.items():
            if name in responses:
                question.resolve(responses[name])
            question.is_told = False

    async def round(self, listener: Listener) -> dict[str, Any]:
        """Returns the result. Raises AskedBack for questions, and the request's errors.

        Cancelling this cancels the request at the server.
        """
        if self.listener is not None:
            raise CallFailed("refused", Message("The call is under way already."))
        self._unpark()
        self.listener = listener
        try:
            return await self._next()
        except asyncio.CancelledError:
            self.cancel()
            raise
        finally:
            self.listener = None
            self._settle()

    def cancel(self) -> None:
        """Cancels the request at the server, which is told that nobody answers its questions."""
        self._unpark()
        for question in self._questions.values():
            question.give_up()
        if self._task is not None:
            self._task.cancel()
        self._settle()

    async def _next(self) -> dict[str, Any]:
        task = self._task
        assert task is not None  # noqa: S101 - it has begun
        while not task.done() and not (untold := self._untold()):
            self._turn = asyncio.get_running_loop().create_future()
            await self._turn
        if not task.done():
            self._park()
            raise AskedBack(untold, self._slot.number, self._fence, self.name)
        if task.cancelled():
            raise CallFailed("server_restarting", Message("The session with the server has ended."))
        return task.result()

    def _untold(self) -> dict[str, Any]:
        untold = {
            name: each
            for name, each in self._questions.items()
            if not each.is_told and not each.answer.done()
        }
        for each in untold.values():
            each.is_told = True
        return {name: each.wire for name, each in untold.items()}

    def _park(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(settings.MCP_INPUT_TIMEOUT_S + GRACE_S, self.cancel)

    def _unpark(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wake(self) -> None:
        if self._turn is not None and not self._turn.done():
            self._turn.set_result(None)

    def _ended(self, task: asyncio.Task[dict[str, Any]]) -> None:
        if not task.cancelled():
            task.exception()  # perhaps no round comes that would have it
        self._wake()
        self._settle()

    def _settle(self) -> None:
        """Ends it if the server has answered, and a round has told or will tell nobody that."""
        is_over = self._task is not None and self._task.done()
        if not is_over or self.listener is not None or self._timer is not None:
            return
        for question in self._questions.values():
            if not question.answer.done():
                question.answer.set_exception(Unasked())
        self._on_end(self)
