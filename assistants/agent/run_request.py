"""The request for a run: what an endpoint asks of the agent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from assistants.catalogue.entries import AssistantEntry


@dataclass(frozen=True, slots=True)
class RunRequest:
    """`messages`: OpenAI chat messages, already validated. `parameters` override the assistant's.

    `allowed`: the names of the only tools that are offered; None: all of the assistant's and the caller's.
    `max_server_calls`: how many calls of the assistant's tools are made.
    `used`: public names of tools that the conversation has used, beside those that `messages` mention.
    """

    assistant: AssistantEntry
    messages: Sequence[Mapping[str, Any]]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    client_tools: Sequence[Mapping[str, Any]] = ()
    tool_choice: str | Mapping[str, Any] | None = None
    used: Sequence[str] = ()
    allowed: frozenset[str] | None = None
    max_server_calls: int | None = None

    @property
    def narrowed_assistant(self) -> AssistantEntry:
        """The assistant with the tools that are allowed."""
        return self.assistant if self.allowed is None else self.assistant.narrowed_to(self.allowed)

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
