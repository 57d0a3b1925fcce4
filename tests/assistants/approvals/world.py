"""A running server and an assistant whose calls are asked about, and workers that make approved ones."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from apikeys import actions as key_actions
from apikeys import limits
from apikeys.authentication import authenticate
from apikeys.models import ApiKey, AuditEntry
from assistants import actions, catalogue
from assistants.actions import approvals
from assistants.approvals import (
    Asker,
    Question,
    ask,
    waiting,
)
from assistants.approvals.execution import ApprovedCalls
from assistants.models import Approval, Approver, Assistant, Effect
from assistants.rules import Verdict
from connector.client import calls
from core import feed
from tests.assistants.approvals.scene import staff
from tests.connector.conftest import BY, Servers, orm
from tools.models import MCPTool


@dataclass
class World:
    server: MCPTool
    assistant: Assistant
    key: ApiKey
    asker: Asker
    log: Path

    async def ask(self, function: str = "echo", **arguments: Any) -> int:
        assert self.asker.assistant is not None
        entry = next(each for each in self.asker.assistant.functions if each.name == function)
        verdict = Verdict(Effect.ASK, arguments, rule_name="R", approver=Approver.STAFF)
        return (await ask(Question(self.asker, entry, arguments, verdict))).number

    @property
    def made(self) -> list[Any]:
        """The arguments of the calls that the server got."""
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []


@pytest.fixture
async def world(servers: Servers, supervise: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    # Nobody listens: what another test has read of its assistant of the same name must not be served here.
    monkeypatch.setattr(feed, "BLIND_MAX_AGE_S", 0)
    supervise()
    log = tmp_path / "calls"
    server = await servers.running("structured", env={"FAKE_CALLS": str(log)})
    issued = await orm(key_actions.issue)(by=BY, name="alice", tokens_per_month=100)
    assistant = await orm(actions.create)(by=BY, name="Shop", tools=[server], api_keys=[issued.api_key])
    principal = await authenticate(f"Bearer {issued.key}")
    asker = Asker(principal, "run_1", assistant=await catalogue.find("shop", principal))
    return World(server, assistant, issued.api_key, asker, log)


@asynccontextmanager
async def working(number: int = 1) -> AsyncIterator[list[ApprovedCalls]]:
    """Workers that make approved calls, all in this loop."""
    jobs = [ApprovedCalls() for _ in range(number)]
    async with feed.listening(), limits.lifespan(), calls.lifespan(), waiting.lifespan():
        tasks = [asyncio.create_task(job.live()) for job in jobs]
        try:
            yield jobs
        finally:
            for job in jobs:
                job.stop()
            await asyncio.gather(*tasks)


@orm
def approve(number: int, **options: Any) -> None:
    approvals.approve(Approval.objects.get(pk=number), by=staff("olga"), **options)


@orm
def row(number: int) -> Approval:
    return Approval.objects.get(pk=number)


@orm
def audited(number: int) -> list[str]:
    entries = AuditEntry.objects.filter(object_kind="approval", object_id=number).order_by("pk")
    return list(entries.values_list("action", flat=True))
