"""An assistant whose tool is asked about, by a rule of its own, and the people who decide."""

import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import pytest
from django.contrib.auth.models import User
from django.db.models import Sum

from apikeys.actions import IssuedKey
from assistants.actions import approvals
from assistants.models import Approval, Approver, Assistant, Run, ToolCall
from core.actor import Actor
from tests.llm import ScriptedLLM
from tests.stack import Stack, wait_for
from tools.models import MCPTool

ECHO = {"name": "asked__echo", "arguments": {"say": "hi"}}
GO: Any = {"role": "user", "content": "Say hi."}
ON: Any = {"role": "user", "content": "Well?"}


@dataclass
class World:
    """`log` is the file in which the server notes each call."""

    stack: Stack
    llm: ScriptedLLM
    model: str
    assistant: Assistant
    log: Path

    def ask_before(self, approver: Approver) -> None:
        """Has all calls of the assistant asked about."""
        self.stack.rule(
            self.model, "ask", scope="assistant", assistant_id=self.assistant.pk, approver=approver
        )

    def other_key(self, client: openai.OpenAI) -> openai.OpenAI:
        """Returns a client with another key that may call the assistant."""
        key = self.stack.key(f"other of {self.model}")
        with self.stack.database():
            self.assistant.api_keys.add(key.api_key)
        other = client.with_options(api_key=key.key)
        wait_for(lambda: self.model in {each.id for each in other.models.list()}, within_s=10)
        return other

    def script(self, *steps: dict[str, Any]) -> None:
        self.llm.script(self.model, *steps)

    def asked(self) -> Approval:
        """Waits for a call that somebody must decide about."""
        with self.stack.database():
            rows = Approval.objects.filter(assistant=self.assistant, state="waiting")
            wait_for(rows.exists, within_s=10)
            return rows.latest("pk")

    def approve(self, approval: Approval, arguments: dict[str, Any] | None = None) -> None:
        with self.stack.database():
            approvals.approve(approval, by=self._staff(), arguments=arguments)

    def reject(self, approval: Approval, reason: str) -> None:
        with self.stack.database():
            approvals.reject(approval, by=self._staff(), reason=reason)

    def row(self, number: int) -> Approval:
        with self.stack.database():
            return Approval.objects.get(pk=number)

    def wait_for_state(self, number: int, state: str) -> None:
        wait_for(lambda: self.row(number).state == state, within_s=20)

    @property
    def calls(self) -> list[dict[str, Any]]:
        """The arguments of the calls that the server got."""
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []

    def received(self) -> list[dict[str, Any]]:
        """The last conversation that the model was given."""
        return list(self.llm.bodies(self.model)[-1]["messages"])

    def recorded(self, number: int) -> list[tuple[str, str, str]]:
        """The calls on record that asked for an approval: the run of each, its status and error."""
        with self.stack.database():
            calls = ToolCall.objects.filter(approval=number)
            return list(calls.values_list("run__run_id", "status", "error"))

    def calls_of_runs(self) -> int:
        """How many calls the usage counts."""
        with self.stack.database():
            runs = Run.objects.filter(assistant=self.assistant)
            return int(runs.aggregate(calls=Sum("server_tool_calls"))["calls"] or 0)

    def results(self) -> list[str]:
        return [each["content"] for each in self.received() if each["role"] == "tool"]

    def _staff(self) -> Actor:
        user, _ = User.objects.get_or_create(username="decider", is_staff=True, is_superuser=True)
        return Actor("staff", user.username, user.pk)


@pytest.fixture(scope="package")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("calls") / "log"


@pytest.fixture(scope="package")
def server(stack: Stack, log: Path) -> MCPTool:
    return stack.server("Asked", env={"FAKE_CALLS": str(log)})


@pytest.fixture
def world(stack: Stack, key: IssuedKey, llm: ScriptedLLM, server: MCPTool, log: Path) -> World:
    log.unlink(missing_ok=True)
    slug = f"asked-{uuid.uuid4().hex[:12]}"
    return World(stack, llm, slug, stack.assistant(slug, server, keys=(key,)), log)


def ask(client: openai.OpenAI, world: World, *messages: Any, **fields: Any) -> Any:
    asked = {"model": world.model, "messages": [GO, *messages], **fields}
    return client.chat.completions.create(**asked).choices[0].message


def shown(message: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": message.content}
