"""Results on their way from the worker's session to the caller: the worker writes them, the client reads."""

from dataclasses import dataclass, field
from typing import Any

LEAVING_S = 5.0
"""Seconds that a trial may take beyond the start of its server."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A progress notification of MCP: `progress` of `total`, in whatever unit the tool counts."""

    progress: float
    total: float | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class CallResult:
    """`content`: MCP content blocks as wire JSON. `is_error`: the tool ran and reports that it failed."""

    content: list[dict[str, Any]]
    structured_content: dict[str, Any] | None
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class PromptResult:
    """`messages`: MCP prompt messages (`role`, `content`) as wire JSON."""

    description: str
    messages: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Trial:
    """`tools` is wire JSON, `complaint` what was left out of it; `error` as the management API shows it."""

    duration_ms: int
    protocol_version: str = ""
    tools: list[dict[str, Any]] = field(default_factory=list)
    complaint: str = ""
    error: dict[str, Any] | None = None
    stderr_tail: str = ""
