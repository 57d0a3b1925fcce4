"""What workers have been granted by the authorization servers of remote MCP servers."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from apikeys import audit
from connector.models import OAuthGrant
from core.actor import Actor
from core.database import in_thread
from core.validation import clean
from tools import actions
from tools.models import MCPTool
from tools.secrets.masking import MASK

RENEWAL_S = 20.0
"""For how long one process may renew tokens while the others wait; longer than a renewal may take."""
WAIT_S = RENEWAL_S + 5
LOOK_EVERY_S = 0.2


@dataclass(frozen=True, slots=True)
class Grant:
    """How to be let in at `url`. `kept`: see `OAuthGrant`; empty when it was kept for another URL."""

    server_id: int
    url: str = field(repr=False)
    flow: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: str
    issuer: str
    kept: Mapping[str, Any] = field(repr=False)


@transaction.atomic
def connect(*, server: MCPTool, by: Actor, **fields: Any) -> OAuthGrant:
    """Creates the grant of a server. Raises ValidationError and Conflict."""
    grant = OAuthGrant(server=server, **fields)
    clean(grant)
    grant.save(force_insert=True)
    audit.created(grant, by=by)
    actions.restart(server, by=by)
    return grant


@transaction.atomic
def update(grant: OAuthGrant, *, by: Actor, **changes: Any) -> OAuthGrant:
    """Changes a grant. What was granted is forgotten, for it belongs to the settings before.

    A masked secret stays as it is stored. Raises ValidationError.
    """
    # Read anew: a form of the admin has already changed its own row, whose secret is masked.
    grant.refresh_from_db(from_queryset=OAuthGrant.objects.select_for_update())
    if changes.get("client_secret") == MASK:
        del changes["client_secret"]
    for name, value in changes.items():
        setattr(grant, name, value)
    clean(grant)
    grant.kept, grant.connected_at = {}, None
    with audit.changing(grant, by=by):
        grant.save(update_fields=[*changes, "kept", "connected_at"])
    actions.restart(grant.server, by=by)
    return grant


@transaction.atomic
def delete(grant: OAuthGrant, *, by: Actor) -> None:
    """Disconnect: the tokens are forgotten, and the server is no longer let in by them."""
    audit.deleted(grant, by=by)
    server = grant.server
    grant.delete()
    actions.restart(server, by=by)


@in_thread
def find(server_id: int) -> Grant | None:
    """Of the server's present URL."""
    row = OAuthGrant.objects.select_related("server").filter(server=server_id).first()
    if row is None:
        return None
    url = row.server.url
    kept = row.kept if row.kept.get("url") == url else {}
    settings = row.client_id, row.client_secret, row.scope, row.issuer
    return Grant(server_id, url, row.flow, *settings, kept)


@in_thread
def keep(grant: Grant, kept: Mapping[str, Any]) -> None:
    """Stores what was granted, unless the server's URL has changed meanwhile."""
    with transaction.atomic():
        # Locked: a change of the URL forgets what is stored, and must not come between these two statements.
        server = MCPTool.objects.select_for_update().filter(pk=grant.server_id).first()
        if server is None or server.url != grant.url:
            return
        connected = {"connected_at": Now()} if "tokens" in kept else {}
        rows = OAuthGrant.objects.filter(server=server)
        rows.update(kept={**kept, "url": grant.url}, **connected)


@asynccontextmanager
async def renewing(server_id: int) -> AsyncIterator[None]:
    """One at a time in all processes: a refresh token is often good for one use.

    Raises TimeoutError if others take too long.
    """
    async with asyncio.timeout(WAIT_S):
        while not await _claimed(server_id):  # noqa: ASYNC110 - another process has it
            await asyncio.sleep(LOOK_EVERY_S)
    try:
        yield
    finally:
        await asyncio.shield(_release(server_id))


async def _claimed(server_id: int) -> bool:
    """A claim goes on in its thread when this is cancelled: then it is taken back."""
    claim = asyncio.ensure_future(_claim(server_id))
    try:
        return await asyncio.shield(claim)
    except asyncio.CancelledError:
        if await claim:
            await _release(server_id)
        raise


@in_thread
def _claim(server_id: int) -> bool:
    is_free = Q(renewing_until=None) | Q(renewing_until__lt=Now())
    rows = OAuthGrant.objects.filter(is_free, server=server_id)
    return bool(rows.update(renewing_until=Now() + timedelta(seconds=RENEWAL_S)))


@in_thread
def _release(server_id: int) -> None:
    OAuthGrant.objects.filter(server=server_id).update(renewing_until=None)
