"""Rows for tests of the pages that observe: runs with tool calls, and the states of servers."""

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone

from assistants.models import Run, ToolCall
from connector.models import StateChange
from tools.models import MCPTool


def member_of(*groups: str, name: str = "anna") -> Client:
    """A client that is logged in as staff of these groups."""
    user = User.objects.create_user(name, is_staff=True)
    user.groups.set(Group.objects.filter(name__in=groups))
    client = Client()
    client.force_login(user)
    return client


def add_run(number: int = 1, *, calls: int = 1, ago: timedelta = timedelta(minutes=1), **fields: Any) -> Run:
    """A run with calls of the tool `now` of the server Clock; of every failed run, the calls failed, too."""
    started = timezone.now() - ago
    made: dict[str, Any] = {
        "run_id": f"run_{number}",
        "request_id": f"req_{number}",
        "api_key_name": "alice",
        "key_prefix": "ak-000001-...",
        "assistant_slug": "helper",
        "model": "tiny",
        "status": "completed",
        "rounds": 2,
        "prompt_tokens": 1_000,
        "completion_tokens": 200,
        "server_tool_calls": calls,
        "first_token_ms": 300,
        "duration_ms": 2_000,
        "started_at": started,
        "model_rounds": [
            {"started_ms": 0, "duration_ms": 500, "prompt_tokens": 400, "completion_tokens": 100},
            {"started_ms": 1_500, "duration_ms": 500, "prompt_tokens": 600, "completion_tokens": 100},
        ],
        "unavailable": [],
    }
    run = Run.objects.create(**{**made, **fields})
    is_failed = run.status == "failed"
    for position in range(calls):
        ToolCall.objects.create(
            run=run,
            position=position,
            server="Clock",
            function="now",
            status="error" if is_failed else "ok",
            error="tool_error" if is_failed else "",
            started_at=started + timedelta(milliseconds=500),
            duration_ms=1_000,
        )
    return run


def add_state(server: MCPTool, status: str, ago: timedelta) -> None:
    """The server has had this status since."""
    StateChange.objects.create(server=server, status=status, at=timezone.now() - ago)
