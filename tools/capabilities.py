"""Capabilities (resources, templates, prompts) and what servers announce, as observed.

An unchanged definition writes nothing.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone

from core.repaired_json import repaired
from tools.models import MCPTool, Offer

IDENTITY = {Offer.Kind.RESOURCE: "uri", Offer.Kind.TEMPLATE: "uriTemplate", Offer.Kind.PROMPT: "name"}


@transaction.atomic
def record(server_id: int, offered: Mapping[Offer.Kind, Iterable[Mapping[str, Any]]]) -> None:
    """Makes the server's capabilities match `offered`: wire JSON by kind. The first of an identity wins."""
    server = MCPTool.objects.select_for_update().without_vectors().get(pk=server_id)
    known = {(row.kind, row.identity): row for row in server.offers.all()}
    found = {
        key: definition
        for kind, definitions in offered.items()
        for key, definition in _by_identity(kind, definitions).items()
    }
    gone = [known[key].pk for key in known.keys() - found.keys()]
    changed = [
        _changed(known[key], found[key])
        for key in known.keys() & found.keys()
        if known[key].definition != found[key]
    ]
    # In the order of the server: clients list them by their primary keys.
    new = [
        Offer(server=server, kind=kind, identity=identity, definition=definition)
        for (kind, identity), definition in found.items()
        if (kind, identity) not in known
    ]
    if gone:
        Offer.objects.filter(pk__in=gone).delete()
    Offer.objects.bulk_update(changed, ["definition"])
    Offer.objects.bulk_create(new)


def record_announced(server_id: int, announced: Mapping[str, Any]) -> None:
    """Stores what a server says of itself: see `MCPTool.announced`."""
    storable = repaired(dict(announced))
    MCPTool.objects.filter(pk=server_id).exclude(announced=storable).update(announced=storable)


def record_asked_back(server_id: int) -> None:
    """Notes that a server was seen to ask its client back: from now on it is treated as `asks_back` says."""
    MCPTool.objects.filter(pk=server_id, asked_back_at=None).update(asked_back_at=timezone.now())


def _by_identity(
    kind: Offer.Kind, definitions: Iterable[Mapping[str, Any]]
) -> dict[tuple[str, str], dict[str, Any]]:
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for definition in definitions:
        storable = repaired(dict(definition))
        found.setdefault((kind, storable[IDENTITY[kind]]), storable)
    return found


def _changed(capability: Offer, definition: dict[str, Any]) -> Offer:
    capability.definition = definition
    return capability
