"""The deadline of a request to a server: both ends of it keep one, and progress puts it off."""

import asyncio
from contextlib import suppress
from types import TracebackType

from django.conf import settings

from core.message import Message


class Deadline:
    """An asynchronous context manager that raises TimeoutError, `grace_s` after the moment `at`.

    `at` (by the event loop's clock) is `timeout_s` after the start or the last progress, and at the latest
    MCP_CALL_CEILING_S after the start. `left_s`: of an attempt that has less time until its first progress.
    """

    def __init__(self, timeout_s: float, *, left_s: float | None = None, grace_s: float = 0.0) -> None:
        now = _now()
        self.at = now + (timeout_s if left_s is None else left_s)
        self._timeout_s = timeout_s
        self._grace_s = grace_s
        self._ceiling_s = max(settings.MCP_CALL_CEILING_S, timeout_s)
        self._latest = now + self._ceiling_s
        self._timeout = asyncio.timeout_at(self.at + grace_s)

    @property
    def left_s(self) -> float:
        return max(self.at - _now(), 0.0)

    def put_off(self) -> None:
        """Starts the time-out anew: the server has reported progress."""
        self.at = min(_now() + self._timeout_s, self._latest)
        # A report may come after the end.
        with suppress(RuntimeError):
            self._timeout.reschedule(self.at + self._grace_s)

    def missed_by(self, name: str) -> Message:
        """Returns what a person is told after the deadline of a tool, resource or prompt."""
        if self.at >= self._latest and self._ceiling_s > self._timeout_s:
            seconds = f"{self._ceiling_s:g}"
            return Message("%(name)s did not end within %(seconds)s s.", name=name, seconds=seconds)
        seconds = f"{self._timeout_s:g}"
        return Message("%(name)s did not answer within %(seconds)s s.", name=name, seconds=seconds)

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._timeout.__aexit__(kind, error, trace)


def _now() -> float:
    return asyncio.get_running_loop().time()
