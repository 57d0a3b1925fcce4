"""Requests to the servers of this worker: `POST /request`, see `data_plane.server`."""

from collections.abc import Callable
from typing import Any

import orjson
from aiohttp import web

from connector.data_plane.answers import Answer
from connector.leases.observation import Slot
from connector.lifecycle.asking import Listener
from connector.lifecycle.client_request import ClientRequest
from connector.lifecycle.server_task import ServerTask
from connector.wire.asking import NOBODY, Client
from connector.wire.deadline import Deadline
from tools.secrets.encryption import decrypt

TIMEOUT_LIMIT_S = 600.0

Find = Callable[[Slot, int], ServerTask]
"""Returns the task that holds a slot under a fence. Raises CallFailed."""


class Requests:
    def __init__(self, find: Find, end_client: Callable[[str], None]) -> None:
        self._find = find
        self._end_client = end_client

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body, answer = orjson.loads(await request.read()), Answer(request)

        async def work() -> dict[str, Any]:
            requests = self._find(Slot(body["server_id"], body["slot"]), body["fence"]).requests
            if body.get("is_given_up"):
                requests.dedicated.give_up(body["parked"])
                return {}
            deadline = Deadline(min(body["timeout_s"], TIMEOUT_LIMIT_S), left_s=body["left_s"])
            return await requests.send(_request(body), deadline, Listener(answer.progress, answer.log))

        return await answer.send(work)

    async def end_client(self, request: web.Request) -> web.Response:
        """Answers `POST /session/end`, whose encrypted body is `{session}`: a client's session has ended."""
        self._end_client(decrypt((await request.read()).decode())["session"])
        return web.Response(body=b"{}")


def _request(body: dict[str, Any]) -> ClientRequest:
    return ClientRequest(
        body["method"],
        body["params"],
        client=Client(**body["client"]) if "client" in body else NOBODY,
        asks_back=body.get("asks_back", False),
        parked=body.get("parked", ""),
        responses=body.get("responses") or {},
    )
