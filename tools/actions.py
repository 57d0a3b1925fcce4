"""What can be done to MCP servers. Each verb writes what should be true; the connector makes it so."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from apikeys import audit
from apikeys.audit import Actor
from apikeys.validation import clean
from tools.models import MCPTool
from tools.names import slugify
from tools.signals import intent_changed


@transaction.atomic
def register(*, name: str, connection_type: str, by: Actor, slug: str = "", **fields: Any) -> MCPTool:
    """A new server, running unless `is_enabled=False`. Raises ValidationError, with one entry a field."""
    server = MCPTool(name=name, slug=slug or slugify(name), connection_type=connection_type, **fields)
    clean(server)
    server.save(force_insert=True)
    audit.created(server, by=by)
    _announce(server)
    return server


@transaction.atomic
def update(server: MCPTool, *, by: Actor, **changes: Any) -> MCPTool:
    """Change a server; a running one is restarted as it should now be. Raises ValidationError."""
    if changes.get("slug", server.slug) != server.slug:
        raise ValidationError({"slug": "A slug cannot be changed: models and callers know the tools by it."})
    for name, value in changes.items():
        setattr(server, name, value)
    clean(server)
    with audit.changing(server, by=by):
        server.save(update_fields=[*changes, "updated_at"])
    return _bump(server)


def start(server: MCPTool, *, by: Actor) -> MCPTool:
    return update(server, by=by, is_enabled=True, restart_requested_at=timezone.now())


def stop(server: MCPTool, *, by: Actor) -> MCPTool:
    return update(server, by=by, is_enabled=False)


def restart(server: MCPTool, *, by: Actor) -> MCPTool:
    return update(server, by=by, restart_requested_at=timezone.now())


@transaction.atomic
def delete(server: MCPTool, *, by: Actor) -> None:
    """Mark a server as deleted; its owner stops it. Its slug and name are free at once."""
    audit.deleted(server, by=by)
    server.deleted_at = timezone.now()
    server.slug = f"deleted-{server.pk}"
    server.save(update_fields=["slug", "deleted_at", "updated_at"])
    server.functions.all().delete()
    _bump(server)


def _bump(server: MCPTool) -> MCPTool:
    MCPTool.objects.filter(pk=server.pk).update(generation=F("generation") + 1, version=F("version") + 1)
    server.refresh_from_db(fields=["generation", "version"])
    _announce(server)
    return server


def _announce(server: MCPTool) -> None:
    transaction.on_commit(lambda: intent_changed.send(MCPTool, server_id=server.pk))
