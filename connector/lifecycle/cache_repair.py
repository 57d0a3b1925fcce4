"""Repairs npx's cache: an interrupted install leaves a folder in which no start succeeds."""

import asyncio
from dataclasses import replace

from connector.lifecycle.connection import Connection
from connector.lifecycle.diagnosis import Diagnosis, ExitReason
from core.message import Message


class CacheRepair:
    """Removes the broken folder of npx once in a row of starts that fail."""

    def __init__(self) -> None:
        self._was_tried = False

    async def after(self, connection: Connection, diagnosis: Diagnosis) -> Diagnosis:
        """Returns the diagnosis, which says so where the folder was removed."""
        if diagnosis.stage != "start":
            self._was_tried = False
        elif not self._was_tried and (folder := await asyncio.to_thread(connection.remove_broken_cache)):
            self._was_tried = True
            message = Message(
                "npx's cache folder %(folder)s was broken. It was removed, and is installed anew.",
                folder=folder,
            )
            return replace(diagnosis, reason=ExitReason.REPAIRED_CACHE, message=message)
        return diagnosis
