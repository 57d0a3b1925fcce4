"""Requests to the servers of this worker: see `data_plane.server`."""

import time
from collections.abc import Callable, Iterable
from typing import Any

from connector.data_plane.answers import Answer
from connector.leases.observation import Slot
from connector.lifecycle.asking import Listener
from connector.lifecycle.client_request import ClientRequest
from connector.lifecycle.dedicated import DedicatedSessions
from connector.lifecycle.server_task import ServerTask
from connector.wire.asking import NOBODY, Client
from connector.wire.deadline import Deadline
from connector.wire.known import known
from core import log_context, metrics, tracing
from tools.secrets.encryption import decrypt

TIMEOUT_LIMIT_S = 600.0

Find = Callable[[Slot, int], ServerTask]
"""Returns the task that holds a slot under a fence. Raises CallFailed."""
Dedicated = Callable[[], Iterable[DedicatedSessions]]
"""Returns the dedicated sessions of all servers here."""


class Requests:
    def __init__(self, find: Find, dedicated: Dedicated) -> None:
        self._find = find
        self._dedicated = dedicated

    async def send(self, body: dict[str, Any], answer: Answer) -> dict[str, Any]:
        """Sends a request to a server, or ends one that waits."""
        log_context.take(body.get("about", {}))
        requests = self._find(Slot(body["server_id"], body["slot"]), body["fence"]).requests
        if body.get("is_given_up"):
            requests.dedicated.give_up(body["parked"])
            return {}
        deadline = Deadline(min(body["timeout_s"], TIMEOUT_LIMIT_S), left_s=body["left_s"])
        listener = Listener(answer.progress, answer.log, answer.elicited)
        began = time.monotonic()
        try:
            with tracing.continued("worker request", body.get("trace", {})):
                return await requests.send(_request(body), deadline, listener)
        finally:
            metrics.HOP_SECONDS.observe(time.monotonic() - began, "worker")

    async def end_client(self, body: str, _: Answer) -> dict[str, Any]:
        """`body` is `{session}`, encrypted: a client's session has ended."""
        name = str(decrypt(body)["session"])
        for dedicated in self._dedicated():
            dedicated.end(of_client=name)
        return {}

    async def roots_changed(self, body: str, _: Answer) -> dict[str, Any]:
        """`body` is the same: the client has other roots now."""
        name = str(decrypt(body)["session"])
        for dedicated in self._dedicated():
            dedicated.tell_roots_changed(of_client=name)
        return {}


def _request(body: dict[str, Any]) -> ClientRequest:
    return ClientRequest(
        body["method"],
        body["params"],
        client=known(Client, body["client"]) if "client" in body else NOBODY,
        asks_back=body.get("asks_back", False),
        parked=body.get("parked", ""),
        responses=body.get("responses") or {},
    )
