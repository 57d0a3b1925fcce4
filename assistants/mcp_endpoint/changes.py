"""What changes, told to clients who follow it: lists, and resources."""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from typing import Any

from apikeys.principal import Principal
from assistants.mcp_endpoint import lists, messages, reach
from assistants.mcp_endpoint.addresses import Address
from assistants.mcp_endpoint.outlet import Outlet
from assistants.mcp_endpoint.reach import Reach
from connector.client import subscriptions
from connector.errors import CallFailed, ServerError
from core import feed

log = logging.getLogger(__name__)

GATHER_S = 0.2
"""How long a change waits for others: a server that starts changes its tools one by one."""
KINDS: Mapping[str, Collection[str]] = {
    "tools": ("tools/list",),
    "prompts": ("prompts/list",),
    "resources": ("resources/list", "resources/templates/list"),
}
"""What a client is told has changed, and the lists that it then reads."""

_watching: set[asyncio.Event] = set()


class Follower:
    """Puts notifications into an outlet. `meta` goes with each of them, as `_meta`.

    `on_following` is called with a URI and False when it is about to follow a resource, and with True once
    that is settled: it follows, or the resource cannot be followed.
    """

    def __init__(
        self,
        outlet: Outlet,
        principal: Principal,
        address: Address,
        on_following: Callable[[str, bool], object],
        meta: dict[str, Any] | None = None,
    ) -> None:
        self._outlet = outlet
        self._principal = principal
        self._address = address
        self._on_following = on_following
        self._params = {"_meta": meta} if meta else {}

    async def follow_lists(self, kinds: Collection[str]) -> None:
        """Tells of changed lists, for ever. Raises what `reach.find` raises, once the key reaches no more."""
        changed = asyncio.Event()
        _watching.add(changed)
        try:
            seen = _digests(await reach.find(self._principal, self._address), kinds)
            while True:
                await changed.wait()
                await asyncio.sleep(GATHER_S)
                changed.clear()
                now = _digests(await reach.find(self._principal, self._address), kinds)
                for kind in kinds:
                    if now[kind] != seen[kind]:
                        self._put(f"notifications/{kind}/list_changed")
                seen = now
        finally:
            _watching.discard(changed)

    async def follow_resources(self, uris: Callable[[], Collection[str]], changed: asyncio.Event) -> None:
        """Tells of updated resources, for ever. `changed` is set when `uris` are others than before."""
        following: dict[str, asyncio.Task[None]] = {}
        try:
            while True:
                changed.clear()
                wanted = set(uris())
                for uri in following.keys() - wanted:
                    following.pop(uri).cancel()
                for uri in wanted - following.keys():
                    following[uri] = asyncio.create_task(self._follow_resource(uri))
                await changed.wait()
        finally:
            for task in following.values():
                task.cancel()
            await asyncio.gather(*following.values(), return_exceptions=True)

    async def _follow_resource(self, uri: str) -> None:
        self._on_following(uri, False)
        reached = await reach.find(self._principal, self._address)
        server = reached.server_of(uri)
        if server is None:
            return
        try:
            async for _ in subscriptions.updates(server.id, uri, lambda: self._on_following(uri, True)):
                self._put("notifications/resources/updated", uri=uri)
        except (CallFailed, ServerError) as refusal:
            # The client was told that it follows the resource; all that it misses is that it changed.
            log.info("Updates of a resource of %s cannot be followed: %s", server.slug, refusal)
            self._on_following(uri, True)

    def _put(self, method: str, **params: str) -> None:
        self._outlet.put(messages.notification(method, {**params, **self._params}))


def _digests(reached: Reach, kinds: Collection[str]) -> dict[str, bytes]:
    return {kind: b"".join(lists.digest(reached, method) for method in KINDS[kind]) for kind in kinds}


def _wake() -> None:
    for changed in _watching:
        changed.set()


# After the caches: a follower must not find in them what was before the change.
feed.subscribe(reach.TABLES, _wake)
