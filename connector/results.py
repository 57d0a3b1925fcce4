"""What servers give, on its way from the session to the caller."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Progress:
    progress: float
    total: float | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class CallResult:
    """`content`: MCP content blocks as wire JSON. `is_error`: the tool ran and says that it failed."""

    content: list[dict[str, Any]]
    structured_content: dict[str, Any] | None
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class PromptResult:
    """`messages`: MCP prompt messages (`role`, `content`) as wire JSON."""

    description: str
    messages: list[dict[str, Any]]
