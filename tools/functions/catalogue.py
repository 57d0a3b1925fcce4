"""What MCP servers offer, as observed. The connector reports; an unchanged definition writes nothing."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from django.db import transaction
from django.utils import timezone

from tools.functions.actions import OBSERVED, taken_names
from tools.functions.reindexing import outdate
from tools.models import Approval, MCPTool, ToolFunction
from tools.names import folded, public_name

_HASHED = ("name", "title", "description", "inputSchema", "outputSchema", "annotations")


def definition_hash(definition: Mapping[str, Any]) -> str:
    """SHA-256 of a tool's canonical definition: everything of it that a model or a policy reads."""
    canonical = {name: definition.get(name) for name in _HASHED}
    return hashlib.sha256(orjson.dumps(canonical, option=orjson.OPT_SORT_KEYS)).hexdigest()


@transaction.atomic
def record(server_id: int, definitions: Sequence[Mapping[str, Any]]) -> None:
    """Make the server's functions match `definitions`: MCP tools as wire JSON. The first of a name wins."""
    server = MCPTool.objects.select_for_update().get(pk=server_id)
    known = {function.name: function for function in server.functions.all()}
    offered = _first_by_name(definitions)
    gone = [row for row in known.values() if row.name not in offered and row.removed_at is None]
    changed = [row for row in known.values() if row.name in offered and _differs(row, offered[row.name])]
    new = [definition for name, definition in offered.items() if name not in known]
    _remove(gone)
    for function in changed:
        _observe(server, function, offered[function.name])
    _add(server, new)
    if gone or changed or new:
        outdate(server)


def _first_by_name(definitions: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    offered: dict[str, Mapping[str, Any]] = {}
    for definition in definitions:
        offered.setdefault(definition["name"], _storable(definition))
    return offered


def _storable(definition: Mapping[str, Any]) -> Mapping[str, Any]:
    """PostgreSQL keeps no NUL in text or JSON."""
    wire: Mapping[str, Any] = orjson.loads(orjson.dumps(definition).replace(rb"\u0000", rb"\ufffd"))
    return wire


def _differs(known: ToolFunction, definition: Mapping[str, Any]) -> bool:
    return known.removed_at is not None or known.definition_hash != definition_hash(definition)


def _remove(functions: Iterable[ToolFunction]) -> None:
    ids = [function.pk for function in functions]
    if ids:
        ToolFunction.objects.filter(pk__in=ids).update(removed_at=timezone.now(), indexed_hash="")


def _observe(server: MCPTool, known: ToolFunction, definition: Mapping[str, Any]) -> None:
    digest = definition_hash(definition)
    function = ToolFunction.objects.select_for_update().get(pk=known.pk)  # staff may be approving it
    before, was_approved = function.definition, function.approved_hash == function.definition_hash
    _describe(function, definition, digest)
    if digest != known.definition_hash:
        _note_change(server, function, before if was_approved else function.replaced)
    function.removed_at = None
    function.version += 1
    function.save(update_fields=OBSERVED)


def _note_change(server: MCPTool, function: ToolFunction, before: dict[str, Any] | None) -> None:
    """What was approved stays what the change is shown against, however often the definition changes."""
    function.replaced, function.replaced_at = before, timezone.now()
    if server.approval == Approval.AUTO:
        function.approved_hash = function.definition_hash
    elif function.approved_hash == function.definition_hash:  # it changed back
        function.replaced = function.replaced_at = None


def _add(server: MCPTool, definitions: list[Mapping[str, Any]]) -> None:
    if not definitions:
        return
    # A first look at a pinned server is what staff approved by registering it; later additions wait.
    trusted = server.approval == Approval.AUTO or not server.functions.exists()
    taken = taken_names(server)
    for definition in sorted(definitions, key=lambda definition: definition["name"]):
        digest = definition_hash(definition)
        function = ToolFunction(server=server, name=definition["name"])
        function.public_name = public_name(server.slug, function.name, taken=taken)
        function.approved_hash = digest if trusted else ""
        _describe(function, definition, digest)
        function.save(force_insert=True)
        taken.add(folded(function.public_name))


def _describe(function: ToolFunction, definition: Mapping[str, Any], digest: str) -> None:
    function.title = (definition.get("title") or "")[:255]
    function.description = definition.get("description") or ""
    function.input_schema = definition.get("inputSchema") or {"type": "object", "properties": {}}
    function.output_schema = definition.get("outputSchema")
    function.annotations = definition.get("annotations") or {}
    function.definition_hash = digest
    function.indexed_hash = ""
