"""Requests to the servers of this worker: `POST /request`, see `data_plane.server`."""

from collections.abc import Callable
from typing import Any

import orjson
from aiohttp import web

from connector.data_plane.answers import Answer
from connector.leases.observation import Slot
from connector.lifecycle.server_task import ServerTask
from connector.wire.deadline import Deadline

TIMEOUT_LIMIT_S = 600.0

Find = Callable[[Slot, int], ServerTask]
"""Returns the task that holds a slot under a fence. Raises CallFailed."""


class Requests:
    def __init__(self, find: Find) -> None:
        self._find = find

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body, answer = orjson.loads(await request.read()), Answer(request)

        async def work() -> dict[str, Any]:
            task = self._find(Slot(body["server_id"], body["slot"]), body["fence"])
            deadline = Deadline(min(body["timeout_s"], TIMEOUT_LIMIT_S), left_s=body["left_s"])
            return await task.requests.send(body["method"], body["params"], deadline, answer.progress)

        return await answer.send(work)
