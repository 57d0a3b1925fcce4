"""The application under a real uvicorn, and which handler answers a path."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from config.runner.network import free_port
from tests.config.asgi import messages

ROOT = Path(__file__).resolve().parent.parent.parent


def test_a_process_whose_startup_fails_serves_nothing_and_logs_why() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "tests.config.failing_application", "--port", str(free_port())],
        cwd=ROOT,
        # No database: one that answers would be asked whether it is fit for this version.
        env={**os.environ, "DATABASE_URL": f"postgresql://nobody@127.0.0.1:{free_port()}/none"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 1
    assert "RuntimeError: the disk is full" in result.stderr
    assert "Application startup failed. Exiting." in result.stderr
    assert "Uvicorn running on" not in result.stderr


@pytest.mark.parametrize(
    "path", ["/health", "/admin/servers/changes", "/v1", "/v1/nothing", "/api/v1/chat", "/api/v1/responses/"]
)
async def test_endpoints_pass_none_of_the_consoles_middleware(path: str) -> None:
    start, *_ = await messages(path)
    assert b"X-Frame-Options" not in dict(start["headers"])


@pytest.mark.django_db(transaction=True)
async def test_a_request_of_the_management_api_is_served_in_one_go(monkeypatch: pytest.MonkeyPatch) -> None:
    entered: list[object] = []
    loop = asyncio.get_running_loop()
    enter = loop.run_in_executor

    def noting(*arguments: Any) -> Any:
        entered.append(arguments)
        return enter(*arguments)

    monkeypatch.setattr(loop, "run_in_executor", noting)
    start, *_ = await messages("/api/v1/assistants")
    assert (start["status"], dict(start["headers"])[b"X-Frame-Options"]) == (401, b"DENY")
    # Beside middleware and view what Django does before and after them: its connections, its log of errors.
    assert len(entered) <= 4


@pytest.mark.parametrize("path", ["/", "/health/", "/v1x", "/api/v1/chatter", "/static", "/nothing", "*"])
async def test_everything_else_is_djangos(path: str) -> None:
    start, *_ = await messages(path)
    assert dict(start["headers"])[b"X-Frame-Options"] == b"DENY"


async def test_a_static_file_that_is_missing_is_answered_with_404() -> None:
    start, *_ = await messages("/static/nothing.css")
    assert start["status"] == 404


async def test_web_sockets_are_refused() -> None:
    sent = await messages("/v1/realtime", "websocket")
    assert [message["type"] for message in sent] == ["websocket.close"]
