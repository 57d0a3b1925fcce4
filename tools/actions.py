"""The verbs of MCP servers: register, change, start, stop, restart and delete.

Each writes intent, what should be true; on commit a trigger notifies the supervisors, which make it true.
"""

import itertools
import re
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, QuerySet
from django.dispatch import Signal
from django.utils import timezone
from django.utils.translation import gettext

from apikeys import audit
from core import feed
from core.actor import Actor
from core.errors import Conflict
from core.locking import locked
from core.validation import clean
from tools import connection_settings
from tools.functions.actions import forget_examples
from tools.functions.reindexing import outdate
from tools.models import MCPTool
from tools.names import RESERVED_SLUGS, numbered, slugify

intent_changes = Signal()
"""Sent with a `server` before a change of whether it should run is stored.

Its receiver, in an app above, sets the `status` and the `error` that the server has until a worker reports
on it.
"""
CHECK = "check"
"""Notified to have servers checked whose last check is old; with `:<id>`, to have that one checked now."""
INTENT = {"is_enabled", "restart_requested_at"}
RELAUNCHING = INTENT | {
    "connection_type", "command", "args", "env", "url", "headers", "start_timeout_s", "asks_back",
}  # fmt: skip
"""Fields whose change means that the server has to be started anew."""
_COPIED = (
    "description", "connection_type", "command", "args", "env", "url", "headers",
    "start_timeout_s", "call_timeout_s", "approval", "is_enriched", "asks_back", "replicas", "labels",
)  # fmt: skip
_INDEXED_WITH_TOOLS = {"name", "description"}
"""Fields whose text is part of the indexed text of each tool."""


@transaction.atomic
def register(
    *, name: str, connection_type: str, by: Actor, slug: str = "", takes_masks: bool = False, **fields: Any
) -> MCPTool:
    """Registers a server, to run unless `is_enabled=False`. Raises ValidationError, with one entry a field.

    `takes_masks`: masks are stored as they are, instead of secrets that a person has yet to give.
    """
    given = fields if takes_masks else {}
    server = MCPTool(name=name, slug=slug or _free_slug(name), connection_type=connection_type, **given)
    connection_settings.apply(server, fields)
    clean(server)
    intent_changes.send(MCPTool, server=server)
    server.save(force_insert=True)
    audit.created(server, by=by)
    return server


def update(server: MCPTool, *, by: Actor, is_locked: bool = False, **changes: Any) -> MCPTool:
    """Changes a server; a running one is restarted where that changes how it runs. Raises ValidationError.

    `is_locked`: see `core.locking`.
    """
    with locked(server, is_locked=is_locked):
        if changes.get("slug", server.slug) != server.slug:
            raise ValidationError(
                {"slug": gettext("A slug cannot be changed: models and callers know the tools by it.")}
            )
        address = server.address
        _change(server, by, changes)
        if server.address != address:
            is_same_host = connection_settings.is_same_host(address, server.address)
            _disconnect(server, by, is_same_host=is_same_host)
        if changes.keys() & _INDEXED_WITH_TOOLS:
            outdate(server, with_functions=True)
        if changes.get("is_enriched") is False:
            forget_examples(server)
    return server


def _change(server: MCPTool, by: Actor, changes: Mapping[str, Any]) -> None:
    written = [*changes, "updated_at", "version"]
    with audit.changing(server, by=by, is_as_stored=True):
        connection_settings.apply(server, changes)
        # Not for intent alone: a server that a stricter policy refuses by now must still be stoppable.
        if changes.keys() - INTENT:
            # Names are unique among servers that are not deleted: without that field nobody would look.
            clean(server, changed={*changes, "deleted_at"})
    if changes.keys() & INTENT:
        intent_changes.send(MCPTool, server=server)
        written += ["status", "error"]
    # Under the lock no other change ends in the same numbers.
    server.version += 1
    if changes.keys() & RELAUNCHING:
        server.generation += 1
        written.append("generation")
    server.save(update_fields=written)


def start(server: MCPTool, *, by: Actor) -> MCPTool:
    """Enables a server. One that already runs is started anew."""
    return update(server, by=by, is_enabled=True, restart_requested_at=timezone.now())


def stop(server: MCPTool, *, by: Actor) -> MCPTool:
    """Disables a server, which stops it."""
    return update(server, by=by, is_enabled=False)


def restart(server: MCPTool, *, by: Actor) -> MCPTool:
    """Has a server started anew, if it should run at all."""
    return update(server, by=by, restart_requested_at=timezone.now())


def refresh(server: MCPTool) -> None:
    """Has the owner of a running server check it and list its tools again, now. It changes no intent."""
    feed.notify(f"{CHECK}:{server.pk}")


@transaction.atomic
def duplicate(server: MCPTool, *, by: Actor) -> MCPTool:
    """Registers a copy of a server, with its secrets, under a free name. It does not run yet."""
    server.refresh_from_db(from_queryset=MCPTool.objects.select_for_update())
    settings = {name: getattr(server, name) for name in _COPIED}
    return register(by=by, name=_free_name(server.name), is_enabled=False, takes_masks=True, **settings)


@transaction.atomic
def delete(server: MCPTool, *, by: Actor, force: bool = False) -> None:
    """Marks a server as deleted; its owner stops it. Its slug and name are free at once.

    Raises Conflict while assistants use it; with `force` they lose it instead.
    """
    _detach(server, force=force)
    audit.deleted(server, by=by)
    server.deleted_at = timezone.now()
    # The row stays until its owner has stopped it. Its slug becomes one that nobody could choose.
    server.slug = f"~{server.pk}"
    server.save(update_fields=["slug", "deleted_at", "updated_at"])
    # In the order in which the index locks them: else each could wait for the other.
    list(server.functions.order_by("pk").select_for_update().values_list("pk"))
    server.functions.only("pk").delete()
    server.offers.all().delete()
    server.word_counts.all().delete()
    _bump(server)


def purge(ended: QuerySet[MCPTool]) -> None:
    """Deletes the rows of those servers that are marked as deleted. Nobody may run them any more."""
    # Only the id: secrets that no key decrypts any more would stay for ever.
    ended.filter(deleted_at__isnull=False).only("pk").delete()


def _detach(server: MCPTool, *, force: bool) -> None:
    """Takes the server from the assistants that use it, or raises Conflict."""
    # By the reverse relation: the model that declares it is in an app above, which this one must not import.
    users = list(server.assistants.order_by("slug").values("id", "name", "slug"))
    if users and not force:
        slugs = ", ".join(user["slug"] for user in users)
        message = gettext(
            "Assistants use this server: %(slugs)s. With ?force=true it is taken away from them."
        )
        raise Conflict(message % {"slugs": slugs}, "in_use", assistants=users)
    if users:
        server.assistants.update(version=F("version") + 1)
        server.assistants.clear()


def _disconnect(server: MCPTool, by: Actor, *, is_same_host: bool) -> None:
    """Forgets the tokens of the server's OAuth grant, which are for one URL, and for another host its secret.

    By the reverse relation: `connector` declares it, and this app must not import that one.
    """
    grant: Any = getattr(server, "oauth_grant", None)
    if grant is not None:
        with audit.changing(grant, by=by):
            grant.kept, grant.connected_at = {}, None
            grant.client_secret = grant.client_secret if is_same_host else ""
            grant.save(update_fields=["client_secret", "kept", "connected_at"])


def _free_slug(name: str) -> str:
    slug = slugify(name)
    taken = MCPTool.objects.filter(slug__startswith=slug[:1]).values_list("slug", flat=True)
    return numbered(slug, taken=RESERVED_SLUGS.union(taken))


def _free_name(name: str) -> str:
    """Returns `Name (copy)`, or `Name (copy 2)` and so on, of at most 255 characters."""
    base = re.sub(r" \(copy(?: \d+)?\)$", "", name)[:230]
    taken = {each.lower() for each in MCPTool.objects.present().values_list("name", flat=True)}
    names = (f"{base} (copy{f' {number}' if number > 1 else ''})" for number in itertools.count(1))
    return next(each for each in names if each.lower() not in taken)


def _bump(server: MCPTool) -> None:
    # Counted by the database: two changes at once must not end in the same number.
    MCPTool.objects.filter(pk=server.pk).update(version=F("version") + 1, generation=F("generation") + 1)
    server.refresh_from_db(fields=["generation", "version"])
