"""Subscriptions to resources: see `data_plane.server`."""

from typing import Any, NoReturn

from connector.data_plane.answers import Answer
from connector.data_plane.requests import Find
from connector.errors import CallFailed
from connector.events import first_of
from connector.leases.observation import Slot
from core.message import Message

ALIVE_S = 30.0
"""Between two messages without a meaning: a caller that has gone without a word is noticed by them."""


class Subscriptions:
    def __init__(self, find: Find) -> None:
        self._find = find

    async def follow(self, body: dict[str, Any], answer: Answer) -> NoReturn:
        """Raises CallFailed and ServerError: only an error ends it, or the caller."""
        task = self._find(Slot(body["server_id"], body["slot"]), body["fence"])
        async with task.requests.resource_updates(body["uri"]) as (updated, ended):
            answer.interim({"subscribed": True})
            # A drain ends it, too: another worker serves by then.
            while not ended.is_set() and not task.is_ending.is_set():
                await first_of(updated, ended, task.is_ending, within=ALIVE_S)
                answer.interim({"updated": updated.is_set()})
                updated.clear()
        raise CallFailed("session_lost", Message("The server ended, or moves to another worker."))
