"""Connection tests of servers, from any process: a worker runs them, and stores nothing."""

import asyncio
import random
from dataclasses import asdict

from connector.client import workers
from connector.errors import CallFailed
from connector.wire.known import known
from connector.wire.results import TEARDOWN_S, ConnectionTestResult
from core.message import Message, restored
from tools.launch import LaunchSpec

ATTEMPTS = 2
"""A worker tries some servers a second time: see `data_plane.connection_tests`."""


async def run(spec: LaunchSpec) -> ConnectionTestResult:
    """Starts or reaches a server, lists its tools and ends it. Raises CallFailed if no worker can do that."""
    alive = await workers.alive()
    if not alive:
        raise CallFailed("server_unavailable", Message("No worker is running that could try the server out."))
    worker = random.choice(alive)  # noqa: S311 - spreading load
    try:
        async with asyncio.timeout(ATTEMPTS * (spec.start_timeout_s + TEARDOWN_S) + spec.install_limit_s):
            answer = await workers.ask(worker, "connection-test", asdict(spec))
    except TimeoutError as error:
        raise CallFailed("server_unavailable", Message("The worker did not end the test in time.")) from error
    except CallFailed as failure:
        if failure.code == "overloaded":
            raise
        message = Message("The worker ended during the connection test.")
        raise CallFailed("server_unavailable", message) from failure
    return known(ConnectionTestResult, {**answer, "warning": restored(answer["warning"])})
