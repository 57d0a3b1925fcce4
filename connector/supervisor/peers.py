"""Peers: the other workers of this host. The kernel reports at once when one of them has ended."""

import asyncio
import os
from collections.abc import Callable, Iterable

from connector.process.orphans import owner_is_alive

SHIM_GRACE_S = 0.2
"""For the shims of a worker that was killed: they end its servers, and no scan for orphans needs to."""


class PeerWatcher:
    """Calls `on_death` soon after a peer has ended. Without pidfds (macOS) only the poll finds that out."""

    def __init__(self, on_death: Callable[[], None]) -> None:
        self._on_death = on_death
        self._descriptors: dict[str, int] = {}

    def watch(self, owners: Iterable[str]) -> None:
        """Watches these owners, and no others any more."""
        wanted = set(owners)
        for owner in self._descriptors.keys() - wanted:
            self._remove(owner)
        for owner in wanted - self._descriptors.keys():
            self._add(owner)

    def _add(self, owner: str) -> None:
        try:
            descriptor = os.pidfd_open(int(owner.partition("-")[0]))
        except (AttributeError, OSError):
            return
        self._descriptors[owner] = descriptor
        asyncio.get_running_loop().add_reader(descriptor, self._ended, owner)
        # Checked after opening: the owner may have ended before, and its id be another process's by now.
        if not owner_is_alive(owner):
            self._remove(owner)

    def _ended(self, owner: str) -> None:
        self._remove(owner)
        asyncio.get_running_loop().call_later(SHIM_GRACE_S, self._on_death)

    def _remove(self, owner: str) -> None:
        descriptor = self._descriptors.pop(owner)
        asyncio.get_running_loop().remove_reader(descriptor)
        os.close(descriptor)
