"""A till whose payments must be agreed to: by staff, by the caller, or by nobody, as who is paid is named."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apikeys.actions import IssuedKey
from assistants.actions import approvals
from assistants.models import Approval, ApprovalState, Approver, Effect, Rule
from config.runner.network import free_port
from core.actor import Actor
from tests.stack import SERVERS, Stack, readiness, wait_for
from tools.models import MCPTool

RULES: dict[str, dict[str, Any]] = {
    "staff": {"effect": Effect.ASK},
    "caller": {"effect": Effect.ASK, "approver": Approver.CALLER},
    "nobody": {"effect": Effect.DENY, "reason": "Nobody pays nobody."},
}
"""What becomes of a payment to `staff-..`, `caller-..` and `nobody-..`. All others are made at once."""


@dataclass(frozen=True)
class Till:
    """`impatient` is another web process: it holds no call for longer than a moment."""

    stack: Stack
    slug: str
    key: IssuedKey
    approver: Actor
    server: MCPTool
    url: str
    impatient: str
    _paid: Path

    @property
    def tool(self) -> str:
        return f"{self.slug}__pay"

    @property
    def path(self) -> str:
        """Of the assistant's MCP endpoint."""
        return f"/mcp/a/{self.slug}"

    def payments(self, to: str) -> int:
        """How often the tool has run for this payee."""
        return self._paid.read_text().splitlines().count(to) if self._paid.exists() else 0

    def decide(self, to: str, *, approves: bool = True, **options: Any) -> None:
        """Decides about the payment as soon as it waits."""
        with self.stack.database():
            wait_for(lambda: self._waiting(to), within_s=15)
            verb = approvals.approve if approves else approvals.reject
            verb(self._waiting(to)[0], by=self.approver, **options)

    async def decided(self, to: str, **options: Any) -> None:
        await asyncio.to_thread(self.decide, to, **options)

    def state(self, to: str) -> str:
        """The state of the payment that was asked about last; "" if none was."""
        with self.stack.database():
            found = [each for each in Approval.objects.order_by("-pk") if each.arguments.get("to") == to]
            return str(found[0].state) if found else ""

    def wait_for_state(self, to: str, wanted: ApprovalState) -> None:
        wait_for(lambda: self.state(to) == wanted, within_s=15)

    @staticmethod
    def _waiting(to: str) -> list[Approval]:
        return [each for each in Approval.objects.waiting() if each.arguments.get("to") == to]


def opened(stack: Stack, slug: str) -> Till:
    """Makes server, assistant, keys and rules, and starts the second web process."""
    paid = stack.folder / f"paid-{slug}"
    server = stack.server(slug, args=[str(SERVERS / "paying.py"), str(paid)])
    key = stack.key(f"Pays at {slug}")
    stack.assistant(slug, server, keys=(key,))
    approver = stack.key(f"Approves at {slug}", can_approve=True).api_key
    with stack.database():
        for name, fields in RULES.items():
            expression = f"call.arguments.to.startsWith('{name}-')"
            conditions = {"functions": [f"{slug}__pay"], "expression": expression}
            Rule.objects.create(name=f"{slug} {name}", conditions=conditions, **fields)
    port = free_port()
    impatient = f"http://127.0.0.1:{port}"
    stack.start_process(f"impatient-{slug}", stack.web_command(port), APPROVAL_HOLD_S="0.3")
    wait_for(lambda: readiness(impatient) == "ok", within_s=60)
    actor = Actor("key", approver.name, approver.pk)
    return Till(stack, slug, key, actor, server, stack.url, impatient, paid)


def closed(till: Till) -> None:
    till.stack.process(f"impatient-{till.slug}").stop(timeout_s=10)
    with till.stack.database():
        Rule.objects.filter(name__startswith=f"{till.slug} ").delete()
