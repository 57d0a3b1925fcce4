"""Logging in to a remote server, from any process: a worker does it and keeps the tokens."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from connector.client import workers
from connector.models import Worker

DEADLINE_S = 40.0


class LoginFailed(Exception):
    """The text is for people, and holds no secret."""


@dataclass(frozen=True, slots=True)
class Begun:
    """`url` is where to send the person; what comes back with `state` is for this `worker`."""

    url: str
    state: str
    worker: str


async def begin(server_id: int, redirect_uri: str) -> Begun:
    """Raises LoginFailed."""
    alive = await workers.alive()
    if not alive:
        raise LoginFailed("No worker is running that could log in.")
    worker = random.choice(alive)  # noqa: S311 - spreading load
    told = await _ask(worker, "/login", {"server_id": server_id, "redirect_uri": redirect_uri})
    return Begun(told["url"], told["state"], worker.name)


async def finish(worker: str, answer: Mapping[str, str]) -> None:
    """`answer`: `code`, `state` and perhaps `iss`, as they came back. Raises LoginFailed."""
    found = [each for each in await workers.alive() if each.name == worker]
    if not found:
        raise LoginFailed("The worker that began this login has ended. Begin it again.")
    await _ask(found[0], "/login/answer", dict(answer))


async def _ask(worker: Worker, path: str, body: dict[str, Any]) -> dict[str, Any]:
    try:
        told = await workers.ask(worker, path, body, timeout_s=DEADLINE_S)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise LoginFailed("The worker ended, or took too long. Begin the login again.") from error
    if "error" in told:
        raise LoginFailed(told["error"])
    return told
