"""Trying a server out, from any process: a worker does it, and nothing is stored."""

import asyncio
import random
from dataclasses import asdict

import aiohttp

from connector.client import workers
from connector.errors import CallFailed
from connector.wire.results import LEAVING_S, Trial
from tools.launch import LaunchSpec

ATTEMPTS = 2


async def attempt(spec: LaunchSpec) -> Trial:
    """Raises CallFailed when no worker can do it."""
    alive = await workers.alive()
    if not alive:
        raise CallFailed("server_unavailable", "No worker is running that could try the server out.")
    worker = random.choice(alive)  # noqa: S311 - spreading load
    try:
        async with asyncio.timeout(ATTEMPTS * (spec.start_timeout_s + LEAVING_S)):
            told = await workers.ask(worker, "/trial", asdict(spec))
    except TimeoutError as error:
        raise CallFailed("server_unavailable", "The worker did not end the trial in time.") from error
    except aiohttp.ClientError as error:
        busy = isinstance(error, aiohttp.ClientResponseError) and error.status == 503
        message = "The worker is busy with other trials." if busy else "The worker ended during the trial."
        raise CallFailed("overloaded" if busy else "server_unavailable", message) from error
    return Trial(**told)
