"""What metrics and traces add to a chat, in one process: the same application with and without them, in turn.

Each turn is of many chats. In a round each application has several turns, in an order that changes, of which
the least processor time counts: what else a machine does only adds to it. That is compared with the mean of
two applications with neither in the same round; by how much these two differ is the noise that is left. What
HTTP costs is not in it: the application is called by ASGI.
"""

import asyncio
import math
import os
import sys
import time
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from django.test import override_settings
from starlette.types import ASGIApp

from bench.figures import Figure
from bench.loading import product
from bench.loading.loads import BY_KEY
from bench.loading.product import UPSTREAM
from bench.web import start_program
from config import application
from config.runner.network import accepts, free_port
from core.garbage import collect_seldom
from tests.chaos.world import World

ROUNDS, TURNS, CALLERS, CHATS, SETTLES_S = 60, 3, 8, 25, 0.3
GOAL_PERCENT = 5.0
NEITHER = "neither"
SAME = "a second application with neither, beside the first,"
SAMPLER = {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.01"}


def measure(world: World) -> Iterator[Figure]:
    """Yields the processor time of a chat, and what metrics and traces add to it in percent."""
    os.environ |= SAMPLER
    collector = _start_collector(world)
    target = product.start(world, product.start_behind(world))
    (ask,) = target.asks(BY_KEY["chat"])
    rounds = asyncio.run(_rounds(collector, _scope(target.headers), ask.body))
    base = [cost[NEITHER] for cost in rounds]
    yield Figure(f"a chat by ASGI with {NEITHER}", base, "CPU-ms")
    for name in list(rounds[0])[1:]:
        added = sorted(_percent(name, cost) for cost in rounds)
        middle = f"{added[len(added) // 4]:.1f} to {added[-len(added) // 4]:.1f} in half of the rounds"
        yield Figure(f"{name} adds ({middle})", added, "%", None if name == SAME else GOAL_PERCENT)


def _percent(name: str, cost: Mapping[str, float]) -> float:
    base = cost[NEITHER] if name == SAME else (cost[NEITHER] + cost[SAME]) / 2
    return (cost[name] / base - 1) * 100


def _start_collector(world: World) -> str:
    port = free_port()
    command = [sys.executable, "-P", UPSTREAM, "collector", str(port)]
    start_program(world, "collector", command, is_ready=partial(accepts, port))
    return f"http://127.0.0.1:{port}"


async def _rounds(collector: str, scope: Mapping[str, Any], body: bytes) -> list[dict[str, float]]:
    """Returns CPU-ms a chat by what is switched on, for each round."""
    settings = {
        NEITHER: {"METRICS": False, "OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        SAME: {"METRICS": False, "OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        "one with metrics,": {"METRICS": True, "OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        "one with metrics, and traces of which 1 % are sampled,": {
            "METRICS": True,
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector,
        },
    }
    apps = {name: _application(own) for name, own in settings.items()}
    found = []
    with override_settings(OTEL_EXPORTER_OTLP_ENDPOINT=collector):
        async with application.lifespan(None):
            collect_seldom()  # as a web process
            for number in range(-1, ROUNDS):  # the first one warms up
                cost = dict.fromkeys(apps, math.inf)
                for turn in range(TURNS):
                    for name in _in_turn(list(apps), number * TURNS + turn):
                        with override_settings(METRICS=settings[name]["METRICS"]):
                            cost[name] = min(cost[name], await _turn(apps[name], scope, body))
                found.append(cost)
    return found[1:]


def _application(settings: Mapping[str, Any]) -> ASGIApp:
    """Returns one with these settings. Without a request's first span there is none inside it either."""
    with override_settings(**settings):
        return application.create_application()


def _in_turn(names: list[str], number: int) -> list[str]:
    start = number % len(names)
    ordered = names[start:] + names[:start]
    return ordered[::-1] if number // len(names) % 2 else ordered


async def _turn(app: ASGIApp, scope: Mapping[str, Any], body: bytes) -> float:
    began = time.process_time()
    await asyncio.gather(*(_ask_often(app, scope, body) for _ in range(CALLERS)))
    await asyncio.sleep(SETTLES_S)  # what is done in the background counts, too
    return (time.process_time() - began) * 1000 / (CALLERS * CHATS)


async def _ask_often(app: ASGIApp, scope: Mapping[str, Any], body: bytes) -> None:
    for _ in range(CHATS):
        await _ask(app, scope, body)


async def _ask(app: ASGIApp, scope: Mapping[str, Any], body: bytes) -> None:
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])
    left = asyncio.Event()

    async def receive() -> Any:
        if (message := next(messages, None)) is not None:
            return message
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start" and message["status"] != 200:
            raise RuntimeError(f"A chat was answered with {message['status']}.")

    await app({**scope, "headers": list(scope["headers"])}, receive, send)
    left.set()


def _scope(headers: Mapping[str, str]) -> dict[str, Any]:
    sent = [(name.encode(), value.encode()) for name, value in headers.items()]
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/v1/chat/completions",
        "raw_path": b"/v1/chat/completions",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"localhost"), *sent],
        "client": ("127.0.0.1", 4711),
        "server": ("127.0.0.1", 8000),
    }
