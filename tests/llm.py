"""The fixture `llm`: the stand-in with scripted answers, as a process of uvicorn."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from starlette.applications import Starlette

from config.standin.app import chat, create_app
from tests import standin_script

ROOT = Path(__file__).resolve().parent.parent


def scripted_app() -> Starlette:
    app = create_app(chat=standin_script.scripted(chat), more_routes=standin_script.routes())
    app.state.conversations = {}
    return app


class ScriptedLLM:
    """A conversation is named by the `model` (or `user`) of the requests that belong to it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.base_url = f"{url}/v1"

    def script(self, conversation: str, *steps: dict[str, Any]) -> None:
        """Each step as in tests.standin_script.Step, for example {"text": "Hello"}."""
        self._send("PUT", conversation, {"steps": steps})

    def requests(self, conversation: str) -> list[dict[str, Any]]:
        """Returns the requests so far: [{body, headers, at, outcome, ended_at}]."""
        return list(self._send("GET", conversation)["requests"])

    def bodies(self, conversation: str) -> list[dict[str, Any]]:
        return [request["body"] for request in self.requests(conversation)]

    def wait_for_outcome(self, conversation: str, outcome: str, *, within_s: float) -> dict[str, Any]:
        """Waits until the last request of the conversation has ended with `outcome`, and returns it."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            requests = self.requests(conversation)
            if requests and requests[-1]["outcome"] == outcome:
                return requests[-1]
            time.sleep(0.02)
        seen = [request["outcome"] for request in self.requests(conversation)]
        raise AssertionError(f"The LLM's requests ended as {seen}, not as {outcome!r}, after {within_s} s")

    def _send(self, method: str, conversation: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{self.url}/script/{conversation}", data, method=method)
        with urlopen(request, timeout=20) as response:
            return dict(json.load(response))


@pytest.fixture(scope="session")
def llm() -> Iterator[ScriptedLLM]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        command = [sys.executable, "-m", "uvicorn", "tests.llm:scripted_app", "--factory"]
        options = [
            "--fd",
            str(listener.fileno()),
            "--log-level",
            "warning",
            "--timeout-graceful-shutdown",
            "1",
        ]
        process = subprocess.Popen(
            [*command, *options], cwd=ROOT, env=dict(os.environ), pass_fds=[listener.fileno()]
        )
    try:
        llm = ScriptedLLM(f"http://127.0.0.1:{port}")
        _wait_until_it_answers(llm)
        yield llm
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _wait_until_it_answers(llm: ScriptedLLM) -> None:
    # The socket has been listening since before the process started, so the first request waits for uvicorn.
    with urlopen(f"{llm.base_url}/models", timeout=60) as response:
        assert response.status == 200
