"""The other workers of this host: the kernel tells at once when one of them has ended."""

import asyncio
import os
from collections.abc import Callable, Iterable

from connector.process.orphans import owner_is_alive

GRACE_S = 0.2
"""For the guards of a worker that was killed: they end its servers more gently than a sweep."""


class Neighbours:
    """Calls `on_death` soon after one of them has died. Without pidfds only the poll finds that out."""

    def __init__(self, on_death: Callable[[], None]) -> None:
        self._on_death = on_death
        self._watched: dict[str, int] = {}

    def watch(self, owners: Iterable[str]) -> None:
        """These, and no others any more."""
        wanted = set(owners)
        for owner in self._watched.keys() - wanted:
            self._forget(owner)
        for owner in wanted - self._watched.keys():
            self._begin(owner)

    def _begin(self, owner: str) -> None:
        try:
            descriptor = os.pidfd_open(int(owner.partition("-")[0]))
        except (AttributeError, OSError):
            return
        self._watched[owner] = descriptor
        asyncio.get_running_loop().add_reader(descriptor, self._died, owner)
        if not owner_is_alive(owner):  # somebody else has its id: what was opened is not what was meant
            self._forget(owner)

    def _died(self, owner: str) -> None:
        self._forget(owner)
        asyncio.get_running_loop().call_later(GRACE_S, self._on_death)

    def _forget(self, owner: str) -> None:
        descriptor = self._watched.pop(owner)
        asyncio.get_running_loop().remove_reader(descriptor)
        os.close(descriptor)
