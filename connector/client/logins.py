"""OAuth logins at remote servers, from any process: a worker runs the flow and stores the tokens."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connector.client import workers
from connector.errors import CallFailed
from connector.models import Worker
from core.message import Message, restored

TIMEOUT_S = 40.0


class LoginFailed(Exception):
    """The text is for people, and holds no secret."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A login that has begun: `url` is where to send the person; `worker` needs the answer with `state`."""

    url: str
    state: str
    worker: str


async def begin(server_id: int, redirect_uri: str) -> Begun:
    """Begins a login at a server that has a grant. Raises LoginFailed."""
    alive = await workers.alive()
    if not alive:
        raise LoginFailed(Message("No worker is running that could log in."))
    worker = random.choice(alive)  # noqa: S311 - spreading load
    answer = await _ask(worker, "login", {"server_id": server_id, "redirect_uri": redirect_uri})
    return Begun(answer["url"], answer["state"], worker.name)


async def finish(worker: str, redirected: Mapping[str, str]) -> None:
    """Sends the parameters of the redirect, `code`, `state` and perhaps `iss`, to the worker of this name.

    Raises LoginFailed.
    """
    found = [each for each in await workers.alive() if each.name == worker]
    if not found:
        raise LoginFailed(Message("The worker that began this login has ended. Begin it again."))
    await _ask(found[0], "login/answer", dict(redirected))


async def _ask(worker: Worker, name: str, body: dict[str, Any]) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = await workers.ask(worker, name, body, timeout_s=TIMEOUT_S)
    except (CallFailed, TimeoutError) as error:
        raise LoginFailed(Message("The worker ended, or took too long. Begin the login again.")) from error
    if "error" in answer:
        raise LoginFailed(restored(answer["error"]))
    return answer
