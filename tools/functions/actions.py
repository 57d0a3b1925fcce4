"""What can be done to the functions that a server offers: enable, rename, describe anew, approve."""

from collections.abc import Sequence
from typing import Any

from django.db import transaction

from apikeys import audit
from core.actor import Actor
from core.errors import Conflict
from tools.functions.reindexing import outdate
from tools.models import MCPTool, ToolFunction
from tools.names import SLUG_KEPT, folded, public_name

OBSERVED = [
    "title", "description", "input_schema", "output_schema", "annotations", "definition_hash",
    "approved_hash", "replaced", "replaced_at", "removed_at", "indexed_hash", "version", "updated_at",
]  # fmt: skip
"""Fields that the catalogue writes."""
_CHOSEN = [
    "is_enabled",
    "overrides",
    "public_name",
    "approved_hash",
    "replaced",
    "replaced_at",
    "indexed_hash",
    "version",
    "updated_at",
]


@transaction.atomic
def update(
    function: ToolFunction,
    *,
    by: Actor,
    is_enabled: bool | None = None,
    overrides: dict[str, str | None] | None = None,
    approve: bool = False,
) -> ToolFunction:
    """`overrides` are merged; None or "" takes one back. `function` must be locked.

    Raises Conflict where another function has the new public name.
    """
    with audit.changing(function, by=by, action="approved" if approve else "updated"):
        if is_enabled is not None:
            function.is_enabled = is_enabled
        if overrides is not None:
            _override(function, overrides)
        if approve:
            _approve(function)
        function.version += 1
        function.save(update_fields=_CHOSEN)
    return function


@transaction.atomic
def note_examples(function: ToolFunction, *, requests: Sequence[str], model: str) -> bool:
    """Requests that `model` wrote for the function's definition. False where it has another one by now."""
    written = {"requests": list(requests), "model": model, "definition_hash": function.definition_hash}
    rows = ToolFunction.objects.filter(pk=function.pk, definition_hash=function.definition_hash)
    is_noted = bool(rows.update(examples=written, indexed_hash=""))
    if is_noted:
        outdate(function.server)
    return is_noted


@transaction.atomic
def forget_examples(server: MCPTool) -> None:
    if server.functions.exclude(examples=None).update(examples=None, indexed_hash=""):
        outdate(server)


def taken_names(server: MCPTool) -> set[str]:
    """Folded public names near the server's own, its own functions' included."""
    rows = ToolFunction.objects.filter(public_name__istartswith=server.slug[:SLUG_KEPT])
    return {folded(name) for name in rows.values_list("public_name", flat=True)}


def _override(function: ToolFunction, overrides: dict[str, str | None]) -> None:
    before = function.overrides.get("name")
    merged: dict[str, Any] = function.overrides | overrides
    function.overrides = {name: value for name, value in merged.items() if value}
    function.indexed_hash = ""
    outdate(function.server)
    wanted = function.overrides.get("name")
    if wanted == before:
        return
    taken = taken_names(function.server) - {folded(function.public_name)}
    if wanted is None:
        function.public_name = public_name(function.server.slug, function.name, taken=taken)
        return
    function.public_name = public_name(function.server.slug, wanted)
    if folded(function.public_name) in taken:
        raise Conflict(f"Another tool is known as {function.public_name}.", "already_taken")


def _approve(function: ToolFunction) -> None:
    function.approved_hash = function.definition_hash
    function.replaced = function.replaced_at = None
