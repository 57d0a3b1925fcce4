"""What happens during a run, in order: the only language between the agent and the doors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the answer, as the model wrote it. Never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """What a caller is told beside the answer. Doors add it; the agent keeps the model's own to itself."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolStarted:
    """A function of one of our servers is being called."""

    call_id: str
    public_name: str
    server: str
    function: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ToolFinished:
    """`error` is a code: of `connector.errors`, or `tool_error` where the tool itself says that it failed.

    `content` is what the model is given of the result: blocks with a `text`, or with something else.
    """

    call_id: str
    public_name: str
    status: Literal["ok", "error"]
    duration_ms: int
    error: str | None = None
    content: Sequence[Mapping[str, Any]] = field(default=(), repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class ClientToolCall:
    """`arguments` is the text that the model wrote: JSON, if the model kept to it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ClientToolCalls:
    """The model wants tools that the caller brought. The run ends with them.

    `hidden`: where tools of ours ran too, the run's rounds as OpenAI chat messages. The caller is not shown
    them, and the model must find them again when the results of these calls come.
    """

    calls: tuple[ClientToolCall, ...]
    hidden: tuple[Mapping[str, Any], ...] = field(default=(), repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens, summed over the rounds so far. Comes before each tool call, and at last before Finished."""

    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class UnavailableTool:
    """A server whose functions the model was not offered, and why."""

    server: str
    reason: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event of a run. `rounds` counts the calls of the model."""

    finish_reason: FinishReason
    rounds: int
    unavailable: tuple[UnavailableTool, ...] = ()


Event = TextDelta | ReasoningDelta | ToolStarted | ToolFinished | ClientToolCalls | Usage | Finished


Reason = Literal["forced", "pinned", "named", "used", "ranked", "listed"]
"""Why a tool came into question: the caller's `tool_choice` wants it, every selection keeps it, the model
called it by its name, the conversation has used it, a search found it, or, by name, for want of a search.
"""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A tool of ours that came into question. `score` is None where no search told one."""

    public_name: str
    reason: Reason
    score: float | None
    chosen: bool


@dataclass(frozen=True, slots=True)
class ToolsSelected:
    """What the model is given of the assistant's tools, and from what. For the record: doors never see it.

    `cutoff` is the lowest score that got in. `tokens` is what the definitions take, of `budget`;
    `tokens_all` what those of all its tools would.
    """

    mode: Literal["retrieved", "search"]
    embedder: str
    degraded: str
    k: int
    cutoff: float | None
    budget: int
    tokens: int
    tokens_all: int
    candidates: tuple[Candidate, ...]


RunEvent = Event | ToolsSelected
"""All that a run emits. `Event` is the part that endpoints see; the rest is for the record."""
