"""Puts runs on the record: a row as soon as a run begins, and its outcome, however it ends."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from rest_framework.exceptions import APIException

from apikeys.limits import Permit
from assistants.agent import RunRequest
from assistants.agent.cancellation import CancelScope
from assistants.events import Finished, RunEvent, ToolStarted
from assistants.models import RunStatus
from assistants.recording import outbox, rows, session_tools
from assistants.recording.records import Origin, RunRecord
from assistants.recording.trace import Trace
from assistants.selection import feedback
from core import metrics
from core.background import BatchWriter
from core.database import in_thread_until_done

_save = in_thread_until_done(rows.write)


async def _write(records: Sequence[RunRecord]) -> None:
    await _save(records)
    await outbox.remove([record.origin.run_id for record in records if record.status != RunStatus.RUNNING])


writer: BatchWriter[RunRecord] = BatchWriter("runs", _write, gather_s=0.25)


class Recorder:
    """Observes one run. The tokens that it uses are charged to `permit`."""

    def __init__(self, request: RunRequest, origin: Origin, permit: Permit) -> None:
        self._request = request
        self._origin = origin
        self._permit = permit
        self._trace = Trace(request, origin)
        self._finished: RunRecord | None = None

    def begin(self) -> None:
        writer.add(self._trace.record)

    async def on_event(self, event: RunEvent) -> None:
        self._trace.add(event)
        match event:
            case ToolStarted():
                session_tools.note(self._origin, self._request.assistant, event.public_name)
            case Finished():
                # Rows are written in batches, a quarter of a second later. A process that is killed in
                # between must not lose a run whose end its caller has seen.
                self._finished = self._trace.ended(RunStatus.COMPLETED, "")
                await outbox.put(self._finished)

    def end(self, status: RunStatus, error: str) -> None:
        """Records the outcome, and counts the tokens that the run used, once.

        A run that emitted Finished is completed, whatever came after: its caller left, say, before it had
        read all.
        """
        record = self._finished or self._trace.ended(status, error)
        writer.add(record)
        _count(record)
        feedback.note(self._request.assistant, self._request.messages, self._trace.served)
        self._permit.charge(record.prompt_tokens + record.completion_tokens)


def _count(record: RunRecord) -> None:
    metrics.RUNS.add(record.status)
    if record.prompt_tokens or record.completion_tokens:
        metrics.TOKENS.add("prompt", amount=record.prompt_tokens)
        metrics.TOKENS.add("completion", amount=record.completion_tokens)
    if record.first_token_ms is not None:
        metrics.FIRST_TOKEN_SECONDS.observe(record.first_token_ms / 1000, record.status)


@asynccontextmanager
async def recorded(
    request: RunRequest, origin: Origin, scope: CancelScope, permit: Permit
) -> AsyncIterator[Recorder]:
    """Records the run that its body executes: at once, and once more with the outcome.

    An Exception that leaves the body is a failure, or a cancellation if `scope` was cancelled. A caller who
    leaves cancels the task or closes the generator, which raises no Exception: that is a cancellation, too.
    """
    recorder = Recorder(request, origin, permit)
    recorder.begin()
    status, error = RunStatus.CANCELLED, ""
    try:
        yield recorder
    except Exception as failure:
        status = RunStatus.CANCELLED if scope.is_cancelled else RunStatus.FAILED
        error = _code(failure)
        raise
    finally:
        recorder.end(status, error)


def _code(failure: Exception) -> str:
    codes = failure.get_codes() if isinstance(failure, APIException) else "internal_error"
    return codes if isinstance(codes, str) else "invalid_request"
