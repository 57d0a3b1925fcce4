"""OAuth grants: settings that staff save, and tokens that workers store, for remote MCP servers."""

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
from core.message import Message
from core.validation import clean
from tools import actions
from tools.models import MCPTool
from tools.secrets.encryption import UndecryptableSecret, Unreadable
from tools.warnings import require_readable

RENEWAL_S = 20.0
"""For how long one process may renew tokens while the others wait; longer than a renewal may take."""
WAIT_S = RENEWAL_S + 5
RETRY_EVERY_S = 0.2


@dataclass(frozen=True, slots=True)
class Grant:
    """A server's grant for `url`. `stored`: see `OAuthGrant.kept`; empty if that is for another URL."""

    server_id: int
    url: str = field(repr=False)
    flow: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: str
    issuer: str
    stored: Mapping[str, Any] = field(repr=False)


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
    """Changes a grant, and deletes its tokens. A masked secret stays as it is stored.

    Raises ValidationError.
    """
    # Read anew: a form of the admin has already changed its own row, whose secret is masked.
    grant.refresh_from_db(from_queryset=OAuthGrant.objects.select_for_update())
    if "client_secret" in changes:
        field = OAuthGrant._meta.get_field("client_secret")
        changes["client_secret"] = field.unmasked(changes["client_secret"], grant.client_secret)
    for name, value in changes.items():
        setattr(grant, name, value)
    clean(grant)
    # Tokens and the registration of a client belong to the settings before. The server's demands do not.
    kept = {} if isinstance(grant.kept, Unreadable) else grant.kept
    grant.kept = {name: value for name, value in kept.items() if name in ("url", "demanded")}
    grant.connected_at = None
    with audit.changing(grant, by=by):
        grant.save(update_fields=[*changes, "kept", "connected_at"])
    actions.restart(grant.server, by=by)
    return grant


@transaction.atomic
def delete(grant: OAuthGrant, *, by: Actor) -> None:
    """Disconnects a server: its tokens are deleted, and it is started anew without them."""
    audit.deleted(grant, by=by)
    server = grant.server
    grant.delete()
    actions.restart(server, by=by)


@in_thread
def find(server_id: int) -> Grant | None:
    """Returns the grant of a server, for its present URL; None if it has no grant.

    Tokens that no key decrypts are none: new ones take their place. Raises UndecryptableSecret for the rest.
    """
    row = OAuthGrant.objects.select_related("server").filter(server=server_id).first()
    if row is None:
        return None
    if isinstance(row.client_secret, Unreadable):
        raise UndecryptableSecret(Message("The client secret of its OAuth grant"))
    require_readable(row.server)
    url = row.server.address
    # Tokens for another URL must not be sent to this one: it may belong to somebody else.
    stored = row.kept if not isinstance(row.kept, Unreadable) and row.kept.get("url") == url else {}
    settings = row.client_id, row.client_secret, row.scope, row.issuer
    return Grant(server_id, url, row.flow, *settings, stored)


@in_thread
def store(grant: Grant, granted: Mapping[str, Any]) -> None:
    """Stores tokens and what belongs to them, unless the server's URL has changed meanwhile."""
    with transaction.atomic():
        # Locked: a change of the URL forgets what is stored, and must not come between these two statements.
        server = MCPTool.objects.select_for_update().filter(pk=grant.server_id).first()
        if server is None or server.address != grant.url:
            return
        connected = {"connected_at": Now()} if "tokens" in granted else {}
        rows = OAuthGrant.objects.filter(server=server)
        rows.update(kept={**granted, "url": grant.url}, **connected)


@in_thread
def demand(server_id: int, scope: str) -> None:
    """Stores scopes that the server has demanded: the next login asks for them, too."""
    with transaction.atomic():
        rows = OAuthGrant.objects.select_for_update(of=["self"]).select_related("server")
        row = rows.filter(server=server_id).first()
        # Tokens that no key decrypts are left alone: the key may come back.
        if row is None or isinstance(row.kept, Unreadable):
            return
        # What is kept for another URL is not for this one: see `find`.
        kept = row.kept if row.kept.get("url") == row.server.url else {"url": row.server.url}
        demanded = kept.get("demanded", "").split()
        if not set(scope.split()) <= set(demanded):
            row.kept = {**kept, "demanded": " ".join(dict.fromkeys([*demanded, *scope.split()]))}
            row.save(update_fields=["kept"])


@asynccontextmanager
async def renewing(server_id: int) -> AsyncIterator[None]:
    """The block is run by one process at a time, of all: a refresh token is often good for one use.

    Raises TimeoutError if the others take too long.
    """
    async with asyncio.timeout(WAIT_S):
        while not await _try_to_claim(server_id):  # noqa: ASYNC110 - another process has it
            await asyncio.sleep(RETRY_EVERY_S)
    try:
        yield
    finally:
        # Also when the block is cancelled, as a session is that ends: others would wait until the claim ends.
        await asyncio.shield(_release(server_id))


async def _try_to_claim(server_id: int) -> bool:
    # A cancelled claim goes on in its thread: if it succeeds there, nobody would release it.
    claim = asyncio.ensure_future(_claim(server_id))
    try:
        return await asyncio.shield(claim)
    except asyncio.CancelledError:
        if await claim:
            await _release(server_id)
        raise


@in_thread
def _claim(server_id: int) -> bool:
    # One conditional UPDATE, by the database's clock: of two processes one changes the row.
    is_free = Q(renewing_until=None) | Q(renewing_until__lt=Now())
    rows = OAuthGrant.objects.filter(is_free, server=server_id)
    return bool(rows.update(renewing_until=Now() + timedelta(seconds=RENEWAL_S)))


@in_thread
def _release(server_id: int) -> None:
    OAuthGrant.objects.filter(server=server_id).update(renewing_until=None)
