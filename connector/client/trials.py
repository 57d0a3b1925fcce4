"""Connection tests of servers, from any process: a worker runs them, and nothing is stored."""

import asyncio
import random
from dataclasses import asdict

import aiohttp

from connector.client import workers
from connector.errors import CallFailed
from connector.wire.results import LEAVING_S, Trial
from tools.launch import LaunchSpec

ATTEMPTS = 2
"""A worker tries some servers a second time: see `data_plane.trials`."""


async def attempt(spec: LaunchSpec) -> Trial:
    """Start or reach a server, list its tools and end it. Raises CallFailed when no worker can."""
    alive = await workers.alive()
    if not alive:
        raise CallFailed("server_unavailable", "No worker is running that could try the server out.")
    worker = random.choice(alive)  # noqa: S311 - spreading load
    try:
        async with asyncio.timeout(ATTEMPTS * (spec.start_timeout_s + LEAVING_S)):
            answer = await workers.ask(worker, "/trial", asdict(spec))
    except TimeoutError as error:
        raise CallFailed("server_unavailable", "The worker did not end the trial in time.") from error
    except aiohttp.ClientError as error:
        busy = isinstance(error, aiohttp.ClientResponseError) and error.status == 503
        message = "The worker is busy with other trials." if busy else "The worker ended during the trial."
        raise CallFailed("overloaded" if busy else "server_unavailable", message) from error
    return Trial(**answer)
