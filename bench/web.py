"""A web process under measurement, its LLM (the offline stand-in), and a client of it."""

import sys
import time
import urllib.request
from typing import Any

import orjson

from apikeys import actions
from config.runner.network import free_port
from config.runner.processes import Program
from core.actor import Actor
from tests.chaos.victims import Victim
from tests.chaos.world import ROOT, World

BY = Actor.system("bench")
QUIET = ["--log-level", "warning", "--port"]


class Caller:
    """A client of a web process: one request at a time, with a key that may do everything."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.key = actions.issue(by=BY, name="bench", can_manage=True)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        headers = {"Authorization": f"Bearer {self.key.key}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, orjson.dumps(body), headers)  # noqa: S310 - our own
        with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
            return orjson.loads(response.read())

    def chat_ms(self, model: str) -> float:
        """Returns the duration of one chat."""
        began = time.perf_counter()
        self.post(
            "/v1/chat/completions",
            {"model": model, "messages": [{"role": "user", "content": "Good morning"}]},
        )
        return (time.perf_counter() - began) * 1000


def start_web(world: World) -> Caller:
    llm, web = free_port(), free_port()
    start_program(world, "llm", [sys.executable, "-m", "uvicorn", *QUIET, str(llm), "config.standin.app:app"])
    settings = {"OPENAI_BASE_URL": f"http://127.0.0.1:{llm}/v1", "OPENAI_API_KEY": "none"}
    url = f"http://127.0.0.1:{web}"
    command = [sys.executable, "-m", "config.web", *QUIET, str(web)]
    start_program(world, "web", command, settings, is_ready=lambda: is_healthy(url))
    return Caller(url)


def is_healthy(url: str, path: str = "/health") -> bool:
    try:
        with urllib.request.urlopen(url + path, timeout=3):  # noqa: S310 - our own
            return True
    except OSError:
        return False


def start_program(
    world: World, name: str, command: list[str], settings: dict[str, str] | None = None, **ready: Any
) -> None:
    program = Program(name, command, cwd=ROOT, env=settings or {})
    helper = Victim(name, lambda: program, world.folder / f"{name}.log", **ready)
    world.helpers.append(helper)
    helper.start()
    helper.wait_until_ready()
