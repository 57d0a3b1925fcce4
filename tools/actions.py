"""What can be done to MCP servers. Each verb writes what should be true; the connector makes it so."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from tools.models import MCPTool
from tools.names import slugify
from tools.signals import intent_changed


@transaction.atomic
def register(*, name: str, connection_type: str, slug: str = "", **fields: Any) -> MCPTool:
    """A new server, running unless `is_enabled=False`. Raises ValidationError, with one entry a field."""
    server = MCPTool(name=name, slug=slug or slugify(name), connection_type=connection_type, **fields)
    server.full_clean()
    server.save(force_insert=True)
    _announce(server)
    return server


@transaction.atomic
def update(server: MCPTool, **changes: Any) -> MCPTool:
    """Change a server; a running one is restarted as it should now be. Raises ValidationError."""
    if changes.get("slug", server.slug) != server.slug:
        raise ValidationError({"slug": "A slug cannot be changed: models and callers know the tools by it."})
    for name, value in changes.items():
        setattr(server, name, value)
    server.full_clean()
    server.save(update_fields=[*changes, "updated_at"])
    return _bump(server)


def start(server: MCPTool) -> MCPTool:
    return update(server, is_enabled=True, restart_requested_at=timezone.now())


def stop(server: MCPTool) -> MCPTool:
    return update(server, is_enabled=False)


def restart(server: MCPTool) -> MCPTool:
    return update(server, restart_requested_at=timezone.now())


@transaction.atomic
def delete(server: MCPTool) -> None:
    """Mark a server as deleted; its owner stops it. Its slug and name are free at once."""
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
