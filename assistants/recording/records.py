"""Runs and their tool calls on the way to the database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from apikeys.authentication import Principal
from assistants.approvals import Asker
from assistants.catalogue import AssistantEntry
from assistants.models import RunKind, RunStatus, ToolCall
from core import ids


def new_run_id() -> str:
    return f"run_{ids.unique()}"


@dataclass(frozen=True, slots=True)
class Origin:
    """The request that a run answers. `session_id` is the caller's own name for runs that belong together.

    `end_user` is its name for the person that it asks for, or "".
    """

    principal: Principal
    request_id: str
    session_id: str | None = None
    run_id: str = field(default_factory=new_run_id)
    end_user: str = ""

    def asker(self, assistant: AssistantEntry) -> Asker:
        """Returns who asks for approval of the run's calls."""
        return Asker(
            self.principal,
            self.run_id,
            assistant=assistant,
            end_user=self.end_user,
            session=self.session_id or "",
            request_id=self.request_id,
        )

    @property
    def extension(self) -> dict[str, str]:
        """The fields of `mcp_connector` that name the run and its session."""
        session = {"session_id": self.session_id} if self.session_id else {}
        return {"run_id": self.run_id, **session}


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A tool call. `arguments` and `result` are None where the assistant stores no bodies."""

    server_id: int | None
    server: str
    function: str
    status: ToolCall.Status = ToolCall.Status.CANCELLED
    duration_ms: int | None = None
    error: str = ""
    result_size: int = 0
    arguments: dict[str, Any] | None = field(default=None, repr=False)
    result: str | None = field(default=None, repr=False)
    started_ms: int = 0
    """Milliseconds after the start of the run."""
    approval: int | None = None
    """The number of the approval that the call asked for."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run that is running or has ended. `calls` is empty until it has.

    Of a tool that was called without an assistant, `assistant_id` is None and `assistant_slug` is "".
    """

    origin: Origin
    assistant_id: int | None
    assistant_slug: str
    model: str
    started_at: datetime
    status: RunStatus = RunStatus.RUNNING
    rounds: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usage_estimated: bool = False
    first_token_ms: int | None = None
    duration_ms: int | None = None
    error: str = ""
    request: str | None = field(default=None, repr=False)
    answer: str | None = field(default=None, repr=False)
    calls: tuple[CallRecord, ...] = ()
    selection: dict[str, Any] | None = None
    """See `recording.selections`; None where the model was given all tools, or none."""
    model_rounds: Sequence[Mapping[str, int]] | None = None
    """See `recording.rounds`; None until the run has ended."""
    unavailable: Sequence[Mapping[str, str]] | None = None
    """See `Run.unavailable`; None where the run did not come to its end."""
    kind: RunKind = RunKind.CHAT
