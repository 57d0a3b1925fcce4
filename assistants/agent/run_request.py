"""The request for a run: what an endpoint asks of the agent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from assistants.approvals import Gate, Past
from assistants.approvals.continued import Continued
from assistants.approvals.gate import Requirement
from assistants.catalogue.entries import AssistantEntry


@dataclass(frozen=True, slots=True)
class RunRequest:
    """`messages`: OpenAI chat messages, already validated. `parameters` override the assistant's.

    `allowed`: the names of the only tools that are offered; None: all of the assistant's and the caller's.
    `max_server_calls`: how many calls of the assistant's tools are made.
    `used`: public names of tools that the conversation has used, beside those that `messages` mention.
    `continued`: what of `messages` its caller does not see, and is delivered by this run. `hold_s`: how long
    the run waits for those who must agree to a call; `shows_approvals`: whether its caller is shown the calls
    that it decides about; `is_resumable`: whether another run goes on where this one waits. `past`: how the
    conversation is recognised, where not by all of what is `visible`. `gate` is what its calls pass.
    """

    assistant: AssistantEntry
    messages: Sequence[Mapping[str, Any]]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    client_tools: Sequence[Mapping[str, Any]] = ()
    tool_choice: str | Mapping[str, Any] | None = None
    used: Sequence[str] = ()
    allowed: frozenset[str] | None = None
    max_server_calls: int | None = None
    continued: Continued | None = None
    hold_s: float = 0.0
    shows_approvals: bool = False
    is_resumable: bool = False
    requirement: Requirement | None = None
    past: Past | None = None
    gate: Gate | None = None

    @property
    def narrowed_assistant(self) -> AssistantEntry:
        """The assistant with the tools that are allowed."""
        return self.assistant if self.allowed is None else self.assistant.narrowed_to(self.allowed)

    @property
    def visible(self) -> Sequence[Mapping[str, Any]]:
        """The conversation as its caller sees it."""
        return self.messages if self.continued is None else self.continued.visible

    @property
    def asked_as(self) -> str:
        """The digest under which calls are asked about, where calls of an earlier answer still wait."""
        return "" if self.continued is None else self.continued.asked_as

    @property
    def refusal(self) -> str:
        """What is answered instead of asking a model, or ""."""
        return "" if self.continued is None else self.continued.refusal

    def narrowed(self) -> Self:
        """Returns the request with the tools that are allowed, and no others."""
        allowed = self.allowed
        if allowed is None:
            return self
        tools = [tool for tool in self.client_tools if tool["function"]["name"] in allowed]
        return replace(self, assistant=self.narrowed_assistant, client_tools=tools, allowed=None)

    @property
    def forced(self) -> str:
        """The tool that `tool_choice` names, or ""."""
        choice = self.tool_choice
        return str(choice["function"]["name"]) if isinstance(choice, Mapping) else ""

    @property
    def client_names(self) -> frozenset[str]:
        return frozenset(str(definition["function"]["name"]) for definition in self.client_tools)
