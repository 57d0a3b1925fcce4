"""The longest pause of a web process's event loop, over requests that are as large as they may be."""

import asyncio
import statistics
import sys
import time

from django.utils.module_loading import import_string

from apikeys import actions as key_actions
from assistants import actions as assistant_actions
from bench.figures import Figure
from config.application import lifespan
from config.runner.network import accepts, free_port
from config.runner.processes import Program
from core.actor import Actor
from tests.chaos.victims import Victim
from tests.chaos.world import ROOT, World
from tests.loop_pause import BODIES, CHAT, measured, post

BY = Actor.system("bench")
ROUNDS = 5
GOAL_MS = 50.0
HELLO = b'{"model": "large", "messages": [{"role": "user", "content": "Good morning"}]}'


def measure(world: World) -> list[Figure]:
    settings = import_string("django.conf.settings")
    settings.OPENAI_BASE_URL, settings.OPENAI_API_KEY = f"http://127.0.0.1:{_start_llm(world)}/v1", "none"
    key = key_actions.issue(by=BY, name="bench", can_manage=True)
    assistant_actions.create(by=BY, name="large", slug="large", api_keys=[key.api_key])
    # As uvicorn loads it: with all views, and with its heap frozen.
    application = import_string("config.asgi.application")
    return asyncio.run(_measure(application, key.key))


def _start_llm(world: World) -> int:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "config.standin.app:app", "--port", str(port)]
    program = Program("llm", [*command, "--log-level", "warning"], cwd=ROOT)
    llm = Victim("llm", lambda: program, world.folder / "llm.log", is_ready=lambda: accepts(port))
    world.helpers.append(llm)
    llm.start()
    llm.wait_until_ready()
    return port


async def _measure(application: object, key: str) -> list[Figure]:
    async with lifespan(None):
        await post(application, CHAT, HELLO, key=key)
        await asyncio.sleep(1)
        async with measured() as quiet:
            began = time.monotonic()
            while time.monotonic() - began < ROUNDS:
                await post(application, CHAT, HELLO, key=key)
        pauses = {name: await _pauses(application, key, name) for name in BODIES}
    medians = {name: statistics.median(values) for name, values in pauses.items()}
    worst = max(medians, key=lambda name: medians[name])
    return [
        Figure("longest pause of the event loop over small chats", [quiet.longest_s * 1000], "ms"),
        *(Figure(f"longest pause, {name}", values, "ms") for name, values in pauses.items()),
        Figure(f"longest pause of all, {worst}", pauses[worst], "ms", goal=GOAL_MS),
    ]


async def _pauses(application: object, key: str, name: str) -> list[float]:
    path, body = BODIES[name]
    data = body().replace("MODEL", "large").encode()
    pauses = []
    for _ in range(ROUNDS):
        await asyncio.sleep(0.2)
        async with measured() as pause:
            await post(application, path, data, key=key)
        pauses.append(pause.longest_s * 1000)
    return pauses
