"""The events of a run, in order: all that endpoints learn from the agent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A part of the answer, as the model wrote it, or the sentence of ours that ends it. Never empty.

    `recorded`: what is stored instead, where the text holds what its caller alone may see.
    """

    text: str
    recorded: str | None = field(default=None, repr=False)

    @property
    def storable(self) -> str:
        return self.text if self.recorded is None else self.recorded


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """A part of what the model thought, or of what an endpoint shows beside that. Never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class RefusalDelta:
    """A part of the model's refusal to answer. Never empty. `recorded`: as of a TextDelta."""

    text: str
    recorded: str | None = field(default=None, repr=False)

    @property
    def storable(self) -> str:
        return self.text if self.recorded is None else self.recorded


@dataclass(frozen=True, slots=True)
class ToolStarted:
    """A tool of an MCP server is being called.

    `approval`: the number of the approval after which a worker made the call, before this run, which delivers
    its result.
    """

    call_id: str
    public_name: str
    server: str
    function: str
    arguments: dict[str, Any]
    approval: int | None = None


@dataclass(frozen=True, slots=True)
class ToolFinished:
    """A tool of an MCP server has answered, or its call failed.

    `error` is a code of `connector.errors`, `invalid_arguments` where they do not fit the tool's schema, or
    `tool_error` where the tool itself reports a failure.
    `content` is the result as the model gets it: blocks with a `text`, or with something else.
    """

    call_id: str
    public_name: str
    status: Literal["ok", "error"]
    duration_ms: int
    error: str | None = None
    content: Sequence[Mapping[str, Any]] = field(default=(), repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class ApprovalStep:
    """A call that somebody must agree to, and how far that is. `state`: of `assistants.models.ApprovalState`.

    `asks_caller`: the caller is to be shown the call and to decide, and the run does not wait for it.
    `is_joined`: another call asked, and this one gets its result.
    """

    number: int
    state: str
    call_id: str
    server: str
    server_slug: str
    function: str
    arguments: Mapping[str, Any] = field(default_factory=dict, repr=False, hash=False)
    asks_caller: bool = False
    is_joined: bool = False


@dataclass(frozen=True, slots=True)
class ClientToolCall:
    """`arguments` is the text that the model wrote, which should be JSON.

    `attached`: what the LLM service added to the call, as fields beside OpenAI's.
    """

    id: str
    name: str
    arguments: str
    attached: Mapping[str, Any] = field(default_factory=dict, repr=False, hash=False)

    @property
    def openai(self) -> dict[str, Any]:
        """Returns the call as an item of OpenAI's `tool_calls`."""
        inner = self.attached.get("function") or {}
        function = {**inner, "name": self.name, "arguments": self.arguments}
        return {**self.attached, "id": self.id, "type": "function", "function": function}


@dataclass(frozen=True, slots=True)
class ClientToolCalls:
    """The model calls tools that the caller brought. The run ends with them.

    `hidden`: the run's rounds as OpenAI chat messages, where tools of ours ran too or the LLM service added
    something to the calls. The caller does not see them, or may not send them back, so they are stored and
    put back when the caller sends the results of these calls.
    """

    calls: tuple[ClientToolCall, ...]
    hidden: tuple[Mapping[str, Any], ...] = field(default=(), repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens, summed over the rounds so far. Emitted before each tool call, and at last before Finished.

    The details are parts of these, by OpenAI's names, such as `cached_tokens` and `reasoning_tokens`; a name
    that the LLM service did not report is not there. `is_estimated`: it did not report all tokens.
    """

    prompt_tokens: int
    completion_tokens: int
    prompt_details: Mapping[str, int] = field(default_factory=dict, hash=False)
    completion_details: Mapping[str, int] = field(default_factory=dict, hash=False)
    is_estimated: bool = False


@dataclass(frozen=True, slots=True)
class UnavailableTool:
    """A server whose tools the model was not offered, and why."""

    server: str
    reason: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event of a run. `rounds` counts the calls of the model.

    `attached`: what the LLM service added to the last turn, as fields beside OpenAI's. `awaits`: the numbers
    of the approvals with which another run will go on with this answer, which is not over.
    """

    finish_reason: FinishReason
    rounds: int
    unavailable: tuple[UnavailableTool, ...] = ()
    attached: Mapping[str, Any] = field(default_factory=dict, repr=False, hash=False)
    awaits: tuple[int, ...] = ()


Event = (
    TextDelta
    | ReasoningDelta
    | RefusalDelta
    | ToolStarted
    | ToolFinished
    | ApprovalStep
    | ClientToolCalls
    | Usage
    | Finished
)


Reason = Literal["forced", "pinned", "named", "used", "ranked", "listed"]
"""Why a tool is a candidate: the caller's `tool_choice` names it, it is pinned to every selection, the model
called it by its name, the conversation has used it, a search ranked it, or no search worked and it is listed
by name.
"""


class Candidate(NamedTuple):
    """A tool that could have been selected. `score` is None for one that no search ranked."""

    public_name: str
    reason: Reason
    score: float | None
    chosen: bool


@dataclass(frozen=True, slots=True)
class ToolsSelected:
    """The tools that the model is offered, and the candidates. For the record: endpoints never see it.

    `cutoff` is the lowest selected score. `tokens` is the size of the selected definitions, which `budget`
    limits; `tokens_all` that of all the assistant's tools.
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


@dataclass(frozen=True, slots=True)
class AnswerHeld:
    """The run ends while calls wait. Its caller's next message goes on from here. Endpoints never see it.

    `rounds`: what the model said and got in this run, as OpenAI chat messages. `waiting`: the numbers of the
    approvals by the ids of the calls that have no result in them.
    """

    rounds: tuple[Mapping[str, Any], ...] = field(repr=False, compare=False)
    waiting: Mapping[str, int] = field(hash=False)


RunEvent = Event | ToolsSelected | AnswerHeld
"""All that a run emits. `Event` is the part that endpoints see; the rest is for the record."""
