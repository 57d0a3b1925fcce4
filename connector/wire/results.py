"""Results on their way from the worker's session to the caller: the worker writes them, the client reads."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

TEARDOWN_S = 5.0
"""Seconds that a connection test may take beyond the start of its server, to end it."""


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
class ConnectionTestResult:
    """What a connection test found.

    `tools`: wire JSON of MCP. `warning`: what was left out of them. `error`: as the management API shows it;
    None if the server was started or reached and listed its tools.
    """

    duration_ms: int
    protocol_version: str = ""
    tools: list[dict[str, Any]] = field(default_factory=list)
    warning: str = ""
    error: dict[str, Any] | None = None
    stderr_tail: str = ""


def name_of(method: str, params: Mapping[str, Any]) -> str:
    """Returns the tool, resource or prompt that a request is about, for messages."""
    about = params["ref"] if method == "completion/complete" else params
    return str(about.get("name") or about.get("uri") or method)
