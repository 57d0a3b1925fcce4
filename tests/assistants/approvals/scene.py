"""A key, an assistant with one tool, and questions about calls of it. No server runs."""

from dataclasses import dataclass, replace
from typing import Any

from apikeys import actions as key_actions
from apikeys import authentication
from apikeys.models import ApiKey
from assistants import actions
from assistants.approvals import Asker, Question
from assistants.catalogue import cache
from assistants.models import Approval, Approver, Assistant, Effect
from assistants.rules import Verdict
from core.actor import Actor
from tests.console.people import member
from tools import actions as tool_actions
from tools.functions import catalogue as tool_catalogue
from tools.models import MCPTool

BY = Actor.system("tests")
SCHEMA = {
    "type": "object",
    "properties": {"to": {"type": "string"}, "amount": {"type": "integer"}},
    "required": ["to"],
}
TOOL = {"name": "pay", "description": "Pays somebody.", "inputSchema": SCHEMA}


@dataclass(frozen=True)
class Scene:
    key: ApiKey
    assistant: Assistant
    server: MCPTool
    asker: Asker

    def question(self, arguments: dict[str, Any] | None = None, **changes: Any) -> Question:
        """Returns the question about a call. `changes`: of the asker, and `approver` and `transcript`."""
        approver = changes.pop("approver", Approver.STAFF)
        transcript = changes.pop("transcript", "")
        asker = replace(self.asker, **changes)
        assert asker.assistant is not None
        given = {"to": "bob"} if arguments is None else arguments
        verdict = Verdict(Effect.ASK, given, rule_name="Payments", approver=approver)
        return Question(asker, asker.assistant.functions[0], given, verdict, transcript)


def build() -> Scene:
    server = tool_actions.register(by=BY, name="Bank", connection_type="stdio", command="uvx")
    tool_catalogue.record(server.pk, [TOOL])
    key = key_actions.issue(by=BY, name="alice").api_key
    assistant = actions.create(by=BY, name="Shop", tools=[server], api_keys=[key])
    [entry] = cache._entries(cache._rows().filter(pk=assistant.pk))
    asker = Asker(authentication.usable([key.pk])[key.pk], "run_1", assistant=entry)
    return Scene(key, assistant, server, asker)


def staff(name: str = "operator") -> Actor:
    person = member("operator", name)
    return Actor("staff", person.username, person.pk)


def approver(name: str = "approver", **fields: Any) -> Actor:
    """Returns a key that may approve, as a manager makes one."""
    key = key_actions.issue(by=BY, name=name, can_approve=True, **fields).api_key
    return Actor("key", key.name, key.pk)


def the_row() -> Approval:
    return Approval.objects.get()
