from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any
from uuid import uuid4

import pytest
from pytest_django import Settings

from apikeys.principal import Principal
from assistants.agent import RunRequest, lifespan, run
from assistants.approvals import Asker, Gate
from assistants.catalogue.endpoints import Endpoint
from assistants.catalogue.entries import AssistantEntry, FunctionEntry, ServerEntry
from assistants.events import Event, TextDelta
from assistants.rules import RuleSet
from tests.llm import ScriptedLLM

CANARY = "sk-canary-93ab1f"


IMPATIENT = pytest.mark.parametrize("agent", [0.5], indirect=True, ids=["impatient"])
"""For tests whose LLM service does not answer in time."""


@pytest.fixture
async def agent(request: Any, settings: Settings, llm: ScriptedLLM) -> AsyncIterator[None]:
    """Runs are possible. The time-out for what the LLM sends next is its parameter."""
    settings.OPENAI_BASE_URL = llm.base_url
    settings.LLM_READ_TIMEOUT_S = getattr(request, "param", 15)
    async with lifespan():
        yield


class Assistant:
    """An assistant whose LLM is a conversation of its own with the scripted stand-in."""

    def __init__(self, llm: ScriptedLLM) -> None:
        self.llm = llm
        self.conversation = f"model-{uuid4().hex}"
        self.endpoint = Endpoint(llm.base_url, CANARY, self.conversation)

    def script(self, *steps: dict[str, Any]) -> None:
        self.llm.script(self.conversation, *steps)

    def bodies(self) -> list[dict[str, Any]]:
        return self.llm.bodies(self.conversation)

    def request(self, messages: str | Sequence[Mapping[str, Any]] = "Hello", **changes: Any) -> RunRequest:
        """`changes` are fields of RunRequest or of AssistantEntry."""
        messages = [{"role": "user", "content": messages}] if isinstance(messages, str) else messages
        asked = {name: changes.pop(name) for name in RunRequest.__dataclass_fields__ if name in changes}
        assistant = entry(self.endpoint, **changes)
        return RunRequest(assistant, messages, **{"gate": open_gate(assistant), **asked})

    async def events(
        self, messages: str | Sequence[Mapping[str, Any]] = "Hello", **changes: Any
    ) -> list[Event]:
        async with aclosing(run(self.request(messages, **changes))) as events:
            return [event async for event in events]


@pytest.fixture
def assistant(llm: ScriptedLLM, agent: None) -> Assistant:
    return Assistant(llm)


def open_gate(assistant: AssistantEntry) -> Gate:
    """A gate without rules."""
    principal = Principal(1, "alice", "", False, True, False, None)
    return Gate(Asker(principal, "run_1", assistant=assistant), RuleSet())


def entry(endpoint: Endpoint, **changes: Any) -> AssistantEntry:
    fields: dict[str, Any] = {
        "id": 1,
        "slug": "helper",
        "name": "Helper",
        "created": 1,
        "system_prompt": "You help.",
        "endpoint": endpoint,
        "parameters": {},
        "max_rounds": 10,
        "functions": (),
        "servers": (),
        "api_key_ids": frozenset(),
    }
    return AssistantEntry(**fields | changes)


def function(name: str = "add", *, server: ServerEntry, **changes: Any) -> FunctionEntry:
    fields: dict[str, Any] = {
        "server_id": server.id,
        "server_name": server.name,
        "server_slug": server.slug,
        "name": name,
        "public_name": f"{server.slug}__{name}",
        "description": f"The function {name}",
        "input_schema": {"type": "object", "properties": {"a": {"type": "integer"}}},
        "timeout_s": 5,
    }
    return FunctionEntry(**fields | changes)


def client_tool(name: str) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {"name": name, "parameters": {"type": "object", "properties": {}}, "strict": False},
    }


def text(events: Sequence[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def tool_messages(body: dict[str, Any]) -> list[str]:
    """Returns the results of its calls that the model got."""
    return [message["content"] for message in body["messages"] if message["role"] == "tool"]
