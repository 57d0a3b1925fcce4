"""The catalogue of tools, as observed. The connector reports them; an unchanged definition writes nothing."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from django.db import transaction
from django.utils import timezone

from apikeys import outbox
from apikeys.models import EventType
from core.repaired_json import repaired
from tools.functions.actions import OBSERVED, taken_names
from tools.functions.reindexing import outdate
from tools.models import Approval, MCPTool, ToolFunction
from tools.names import folded, public_name

_HASHED = ("name", "title", "description", "inputSchema", "outputSchema", "annotations")
_BATCH = 500
_MOST_ANNOUNCED = 50


def definition_hash(definition: Mapping[str, Any]) -> str:
    """Returns the SHA-256 of a tool's canonical definition: every part that a model or a policy reads."""
    canonical = {name: definition.get(name) for name in _HASHED}
    return hashlib.sha256(orjson.dumps(canonical, option=orjson.OPT_SORT_KEYS)).hexdigest()


@transaction.atomic
def record(server_id: int, definitions: Sequence[Mapping[str, Any]]) -> None:
    """Makes the server's tools match `definitions`: MCP tools as wire JSON. The first of a name wins.

    Raises MCPTool.DoesNotExist.
    """
    # Locked, so that two workers in the middle of a takeover do not add the same tools twice.
    server = MCPTool.objects.select_for_update().without_vectors().get(pk=server_id)
    compared = server.functions.only("name", "definition_hash", "extra", "removed_at")
    known = {tool.name: tool for tool in compared}
    offered = _first_by_name(definitions)
    gone = [row for row in known.values() if row.name not in offered and row.removed_at is None]
    changed = [row for row in known.values() if row.name in offered and _differs(row, offered[row.name])]
    new = [definition for name, definition in offered.items() if name not in known]
    _remove(gone)
    is_first = not any(row.definition_hash for row in known.values())
    trusted = server.approval == Approval.AUTO or is_first
    redefined = [tool for tool in _locked(changed) if _observe(server, tool, offered[tool.name], trusted)]
    _announce(server, redefined)
    _add(server, new, trusted=trusted)
    if gone or changed or new:
        outdate(server)


def _first_by_name(definitions: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    offered: dict[str, Mapping[str, Any]] = {}
    for definition in definitions:
        offered.setdefault(definition["name"], repaired(dict(definition)))
    return offered


def _differs(known: ToolFunction, definition: Mapping[str, Any]) -> bool:
    is_same = known.definition_hash == definition_hash(definition) and known.extra == _extra(definition)
    return known.removed_at is not None or not is_same


def _extra(definition: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in definition.items() if name not in _HASHED}


def _remove(tools: Iterable[ToolFunction]) -> None:
    """Marks tools as removed. The rows stay: their approval and overrides hold if they come back."""
    ids = [tool.pk for tool in tools]
    if ids:
        ToolFunction.objects.filter(pk__in=ids).update(removed_at=timezone.now(), indexed_hash="")


def _locked(tools: Iterable[ToolFunction]) -> Iterable[ToolFunction]:
    """Reads tools again, locked: staff may be approving one of them."""
    ids = [tool.pk for tool in tools]
    rows = ToolFunction.objects.filter(pk__in=ids).select_for_update().without_vectors()
    return rows.order_by("pk") if ids else ()


def _announce(server: MCPTool, redefined: Sequence[ToolFunction]) -> None:
    """Tells webhooks of tools whose definitions have changed, by one event for all of them."""
    if redefined:
        outbox.announce(
            EventType.TOOL_CHANGED,
            id=server.pk,
            name=server.name,
            count=len(redefined),
            tools=[{"id": tool.pk, "name": tool.public_name} for tool in redefined[:_MOST_ANNOUNCED]],
            needs_approval=any(tool.approved_hash != tool.definition_hash for tool in redefined),
        )


def _observe(server: MCPTool, tool: ToolFunction, definition: Mapping[str, Any], trusted: bool) -> bool:
    """Stores a tool as it is now. Returns whether its definition has changed.

    `trusted`: one that was only expected is approved as it is, unless staff have named the definition.
    """
    digest = definition_hash(definition)
    is_expected = not tool.definition_hash
    is_changed = digest != tool.definition_hash and not is_expected
    if is_expected and (server.approval == Approval.AUTO or (trusted and not tool.approved_hash)):
        tool.approved_hash = digest
    before, was_approved = tool.definition, tool.approved_hash == tool.definition_hash
    _describe(tool, definition, digest)
    if is_changed:  # else the tool was removed, and is back as it was, or only its other fields differ
        _note_change(server, tool, before if was_approved else tool.replaced)
    tool.removed_at = None
    tool.version += 1
    tool.save(update_fields=OBSERVED)
    return is_changed


def _note_change(server: MCPTool, tool: ToolFunction, before: dict[str, Any] | None) -> None:
    """Stores what the change is shown against: the approved definition, however often it changes since."""
    tool.replaced, tool.replaced_at = before, timezone.now()
    if server.approval == Approval.AUTO:
        tool.approved_hash = tool.definition_hash
    elif tool.approved_hash == tool.definition_hash:  # it changed back to what is approved
        tool.replaced = tool.replaced_at = None


def _add(server: MCPTool, definitions: Sequence[Mapping[str, Any]], *, trusted: bool) -> None:
    """Adds tools. `trusted`: they are approved as they are.

    The first tools of a pinned server are: staff approved them by registering it. Later additions wait.
    """
    if not definitions:
        return
    taken = taken_names(server)
    new = []
    # Sorted, so that of two names that fold alike the same one gets the hash, in whatever order they come.
    for definition in sorted(definitions, key=lambda definition: definition["name"]):
        digest = definition_hash(definition)
        tool = ToolFunction(server=server, name=definition["name"])
        tool.public_name = public_name(server.slug, tool.name, taken=taken)
        tool.approved_hash = digest if trusted else ""
        _describe(tool, definition, digest)
        taken.add(folded(tool.public_name))
        new.append(tool)
    ToolFunction.objects.bulk_create(new, batch_size=_BATCH)


def _describe(tool: ToolFunction, definition: Mapping[str, Any], digest: str) -> None:
    tool.title = (definition.get("title") or "")[:255]
    tool.description = definition.get("description") or ""
    tool.input_schema = definition.get("inputSchema") or {"type": "object", "properties": {}}
    tool.output_schema = definition.get("outputSchema")
    tool.annotations = definition.get("annotations") or {}
    tool.extra = _extra(definition)
    tool.definition_hash = digest
    tool.indexed_hash = ""
