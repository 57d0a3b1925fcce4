"""Collects from a run's events what is recorded of it."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from django.utils import timezone

from assistants import storable
from assistants.agent import RunRequest
from assistants.approvals import codes
from assistants.events import (
    ApprovalStep,
    Finished,
    ReasoningDelta,
    RefusalDelta,
    RunEvent,
    TextDelta,
    ToolFinished,
    ToolsSelected,
    ToolStarted,
    Usage,
)
from assistants.models import ApprovalState, RunStatus, ToolCall
from assistants.recording import selections
from assistants.recording.records import CallRecord, Origin, RunRecord
from assistants.recording.rounds import Rounds
from assistants.selection import feedback, query

_CHARACTERS_A_TOKEN = 4


class Trace:
    """A run so far."""

    def __init__(self, request: RunRequest, origin: Origin) -> None:
        assistant = request.assistant
        self.record = RunRecord(
            origin=origin,
            assistant_id=assistant.id,
            assistant_slug=assistant.slug,
            model=assistant.endpoint.model,
            started_at=timezone.now(),
            request=storable.text(query.from_messages(request.messages)) if assistant.store_bodies else None,
        )
        self._messages = request.messages
        self._stores_bodies = assistant.store_bodies
        self._functions = assistant.by_name
        self._started = time.monotonic()
        self._first_token_ms: int | None = None
        self._usage = Usage(0, 0)
        self._rounds = Rounds()
        self._uncounted = 0  # characters that the model wrote since its last Usage
        self._text: list[str] = []
        self._calls: dict[str, CallRecord] = {}
        self._delivered: set[str] = set()
        """Calls that workers made before this run, and that are on the record of the runs that asked."""
        self._selection: ToolsSelected | None = None
        self._finished: Finished | None = None

    def add(self, event: RunEvent) -> None:
        match event:
            case TextDelta() | RefusalDelta():
                self._add_text(event.storable)
            case ReasoningDelta():
                self._uncounted += len(event.text)
            case ToolStarted():
                self._start_call(event)
            case ApprovalStep() if event.state == ApprovalState.WAITING and not event.is_joined:
                self._wait_for_approval(event)
            case ToolFinished():
                self._finish_call(event)
            case Usage():
                self._usage, self._uncounted = event, 0
                self._rounds.answered(event, self._elapsed_ms())
            case ToolsSelected():
                self._selection = selections.merged(self._selection, event)
            case Finished():
                self._finished = event

    def ended(self, status: RunStatus, error: str) -> RunRecord:
        """Returns the record of a run that ended with this status and error.

        A run that emitted Finished is completed, whatever came after: its caller left, say, before it had
        read all.
        """
        usage = self._usage if self._finished else self._estimated_usage()
        calls = tuple(call for call_id, call in self._calls.items() if call_id not in self._delivered)
        if not self._finished and all(call.duration_ms is not None for call in calls):
            self._rounds.cut_off(usage, self._elapsed_ms())
        return replace(
            self.record,
            status=RunStatus.COMPLETED if self._finished else status,
            error="" if self._finished else error,
            rounds=self._finished.rounds if self._finished else 0,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            usage_estimated=usage.is_estimated,
            first_token_ms=self._first_token_ms,
            duration_ms=self._elapsed_ms(),
            answer=storable.text("".join(self._text)) if self._stores_bodies else None,
            calls=calls,
            selection=selections.as_json(self._selection) if self._selection else None,
            model_rounds=self._rounds.as_json,
            unavailable=[asdict(each) for each in self._finished.unavailable] if self._finished else None,
        )

    @property
    def served(self) -> frozenset[feedback.Function]:
        """The tools whose calls succeeded, for relevance feedback."""
        return frozenset(
            (call.server_id, call.function)
            for call in self._calls.values()
            if call.status == ToolCall.Status.OK and call.server_id is not None
        )

    def _add_text(self, text: str) -> None:
        if self._first_token_ms is None:
            self._first_token_ms = self._elapsed_ms()
        self._uncounted += len(text)
        if self._stores_bodies:
            self._text.append(text)

    def _start_call(self, event: ToolStarted) -> None:
        if event.approval is not None:
            self._delivered.add(event.call_id)
        function = self._functions.get(event.public_name)
        waiting = self._calls.get(event.call_id)
        self._calls[event.call_id] = CallRecord(
            server_id=function.server_id if function else None,
            server=event.server,
            function=event.function,
            started_ms=self._elapsed_ms(),
            arguments=storable.arguments(event.arguments) if self._stores_bodies else None,
            approval=waiting.approval if waiting else None,
        )

    def _wait_for_approval(self, step: ApprovalStep) -> None:
        """A call that its caller is to decide about is shown as none: the record has it all the same."""
        call = self._calls.get(step.call_id) or CallRecord(
            server_id=self._server_id(step.server_slug),
            server=step.server,
            function=step.function,
            started_ms=self._elapsed_ms(),
            arguments=storable.arguments(step.arguments) if self._stores_bodies else None,
        )
        self._calls[step.call_id] = replace(
            call, status=ToolCall.Status.ERROR, error=codes.PENDING, approval=step.number
        )

    def _server_id(self, slug: str) -> int | None:
        functions = self._functions.values()
        return next((each.server_id for each in functions if each.server_slug == slug), None)

    def _finish_call(self, event: ToolFinished) -> None:
        self._rounds.tools_ended(self._elapsed_ms())
        text = "\n".join(str(block["text"]) for block in event.content if "text" in block)
        self._calls[event.call_id] = replace(
            self._calls[event.call_id],
            status=ToolCall.Status(event.status),
            duration_ms=event.duration_ms,
            error=event.error or "",
            result_size=len(text),
            result=storable.text(text) if self._stores_bodies else None,
        )

    def _estimated_usage(self) -> Usage:
        """Returns the usage of a run that was cut off: whole rounds as reported, the last one estimated."""
        if not self._uncounted:
            return self._usage
        return Usage(
            self._usage.prompt_tokens + _tokens(_characters(self._messages)),
            self._usage.completion_tokens + _tokens(self._uncounted),
            is_estimated=True,
        )

    def _elapsed_ms(self) -> int:
        return round((time.monotonic() - self._started) * 1000)


def _characters(messages: Sequence[Mapping[str, Any]]) -> int:
    """Counts the characters of all texts; images have none."""
    return sum(len(text) for message in messages for text in _texts(message.get("content")))


def _texts(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content]
    return [str(part.get("text") or "") for part in content or ()]


def _tokens(characters: int) -> int:
    return -(-characters // _CHARACTERS_A_TOKEN)
