"""A call on the record: a run with one tool call, which becomes rows when the call has ended.

A call that takes longer is on the record while it runs, so that people see it and can cancel it.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.utils import timezone
from rest_framework.exceptions import APIException

from assistants import storable
from assistants.approvals.codes import PENDING
from assistants.catalogue.entries import FunctionEntry
from assistants.models import RunStatus, ToolCall
from assistants.recording.recorder import writer
from assistants.recording.records import CallRecord, Origin, RunRecord
from assistants.tool_calls.asked import Asked
from assistants.tool_calls.not_called import NotCalled
from connector.client import outcomes
from connector.client.requests import InputRequired
from core import log_context, metrics, tracing

SHOWN_AFTER_S = 1.0
INPUT_REQUIRED = "input_required"
"""The server asked back: the round that follows has a record of its own."""
_UNSAID = {RunStatus.COMPLETED: "", RunStatus.CANCELLED: "cancelled"}


class Record:
    """The record of one call, which begins now."""

    def __init__(self, asked: Asked, function: FunctionEntry) -> None:
        self._asked, self._function = asked, function
        self._stores_bodies = asked.assistant is not None and asked.assistant.store_bodies
        self._origin = Origin(asked.principal, asked.request_id, end_user=asked.end_user)
        self._started_at, self._began = timezone.now(), time.monotonic()
        self._status, self._error = RunStatus.CANCELLED, ""
        self._called: dict[str, Any] = {}

    @property
    def run_id(self) -> str:
        return self._origin.run_id

    @contextmanager
    def kept(self, arguments: dict[str, Any]) -> Iterator[None]:
        """Records the call that the block makes, however it ends.

        A caller who leaves cancels the block, which raises no Exception.
        """
        if self._stores_bodies:
            self._called["arguments"] = storable.arguments(arguments)
        log_context.run_id.set(self.run_id)
        shown = asyncio.get_running_loop().call_later(SHOWN_AFTER_S, self._show)
        try:
            with tracing.tool(self._function.name):
                yield
        except Exception as failure:
            self._failed(failure)
            raise
        finally:
            shown.cancel()
            writer.add(self._ended())

    def sends(self, arguments: dict[str, Any] | None) -> None:
        """Records these arguments, as the server gets them, instead of those that the caller gave."""
        if self._stores_bodies:
            self._called["arguments"] = None if arguments is None else storable.arguments(arguments)

    def asks(self, number: int) -> None:
        """Somebody is asked about the call: a worker makes it, maybe after this record was written."""
        self._called["approval"] = number

    def answered(self, answer: dict[str, Any] | InputRequired) -> None:
        self._status = RunStatus.COMPLETED
        if isinstance(answer, InputRequired):
            self._called |= {"status": ToolCall.Status.OK, "error": INPUT_REQUIRED}
            return
        code, text = outcomes.code_of(answer), outcomes.text_of(answer)
        status = ToolCall.Status.ERROR if code else ToolCall.Status.OK
        self._called |= {"status": status, "error": code, "result_size": len(text)}
        if self._stores_bodies:
            self._called["result"] = storable.text(text)

    def _failed(self, failure: Exception) -> None:
        if isinstance(failure, APIException):  # ended from outside
            self._error = str(failure.get_codes())
            return
        self._error = failure.code if isinstance(failure, NotCalled) else outcomes.code_of_failure(failure)
        # What waits has not failed: it goes on without its caller.
        self._status = RunStatus.COMPLETED if self._error == PENDING else RunStatus.FAILED
        self._called |= {"status": ToolCall.Status.ERROR, "error": self._error}

    def _show(self) -> None:
        writer.add(self._run(status=RunStatus.RUNNING))

    def _ended(self) -> RunRecord:
        function, seconds = self._function, time.monotonic() - self._began
        duration_ms = round(seconds * 1000)
        if self._called.get("error") != INPUT_REQUIRED:
            outcome = self._error or self._called.get("error", "")
            metrics.tool_called(function.server_slug, outcome or _UNSAID[self._status], seconds)
        call = CallRecord(
            function.server_id, function.server_name, function.name, duration_ms=duration_ms, **self._called
        )
        return self._run(
            status=self._status, error=self._error, duration_ms=duration_ms, calls=(call,), model_rounds=()
        )

    def _run(self, **outcome: Any) -> RunRecord:
        asked, assistant = self._asked, self._asked.assistant
        return RunRecord(
            origin=self._origin,
            kind=asked.kind,
            assistant_id=assistant.id if assistant else None,
            assistant_slug=assistant.slug if assistant else "",
            model="",
            started_at=self._started_at,
            **outcome,
        )
