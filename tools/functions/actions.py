"""The verbs of tools: enable, rename, describe anew, approve, and store example requests."""

from collections.abc import Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from apikeys import audit
from core.actor import Actor
from core.errors import Conflict
from tools.functions.reindexing import outdate
from tools.hints import validate_labels
from tools.models import MCPTool, ToolFunction
from tools.names import SLUG_LENGTH, folded, public_name
from tools.validation import overrides_problem

OBSERVED = [
    "title", "description", "input_schema", "output_schema", "annotations", "extra",
    "definition_hash", "approved_hash", "replaced", "replaced_at", "removed_at", "indexed_hash", "version",
    "updated_at",
]  # fmt: skip
"""Fields that the catalogue writes when a server lists a tool."""
_CHOSEN = [
    "is_enabled",
    "overrides",
    "labels",
    "public_name",
    "approved_hash",
    "replaced",
    "replaced_at",
    "indexed_hash",
    "version",
    "updated_at",
]
"""Fields that staff change. Two lists, because the two writers must not undo each other's changes."""

UNCHANGED: Any = object()
"""Stands for what is not given, where None means something."""


@transaction.atomic
def update(
    function: ToolFunction,
    *,
    by: Actor,
    is_enabled: bool | None = None,
    overrides: dict[str, str | None] | None = None,
    approve: bool = False,
    labels: Any = UNCHANGED,
) -> ToolFunction:
    """Changes a tool. `overrides` are merged; None or "" removes one. `function` must be locked.

    `labels`: a list, or None for those of its server. Raises ValidationError, and Conflict if another tool
    has the new public name.
    """
    if overrides is not None and (problem := overrides_problem(overrides)):
        raise ValidationError({"overrides": problem})
    if labels not in (UNCHANGED, None):
        try:
            validate_labels(labels)
        except ValidationError as error:
            raise ValidationError({"labels": error}) from error
    with audit.changing(function, by=by, action="approved" if approve else "updated"):
        if is_enabled is not None:
            function.is_enabled = is_enabled
        if overrides is not None:
            _override(function, overrides)
        if labels is not UNCHANGED:
            function.labels = labels
        if approve:
            _approve(function)
        function.version += 1
        function.save(update_fields=_CHOSEN)
    return function


@transaction.atomic
def note_examples(function: ToolFunction, *, requests: Sequence[str], model: str) -> bool:
    """Stores requests that `model` wrote for the tool. Returns False if its definition has changed."""
    written = {"requests": list(requests), "model": model, "definition_hash": function.definition_hash}
    rows = ToolFunction.objects.filter(pk=function.pk, definition_hash=function.definition_hash)
    is_stored = bool(rows.update(examples=written, indexed_hash=""))
    if is_stored:
        outdate(function.server)
    return is_stored


def note_refusal(server_id: int, name: str, *, model: str) -> None:
    """Notes that the LLM service of `model` refuses the tool's present definition, for staff to see."""
    rows = ToolFunction.objects.present().filter(server_id=server_id, name=name)
    for digest in rows.values_list("definition_hash", flat=True):
        refusal = {"model": model, "definition_hash": digest, "at": timezone.now().isoformat()}
        rows.filter(definition_hash=digest).update(refusal=refusal)


@transaction.atomic
def forget_examples(server: MCPTool) -> None:
    """Deletes the example requests of all tools of a server."""
    if server.functions.exclude(examples=None).update(examples=None, indexed_hash=""):
        outdate(server)


def taken_names(server: MCPTool) -> set[str]:
    """Returns the folded public names that could collide with this server's, its own tools' included."""
    # Every public name of the server begins with its slug, as far as names hold it.
    rows = ToolFunction.objects.filter(public_name__istartswith=server.slug[:SLUG_LENGTH])
    return {folded(name) for name in rows.values_list("public_name", flat=True)}


def _override(function: ToolFunction, overrides: dict[str, str | None]) -> None:
    before = function.overrides.get("name")
    merged: dict[str, Any] = function.overrides | overrides
    function.overrides = {name: value for name, value in merged.items() if value}
    function.indexed_hash = ""
    outdate(function.server)
    name = function.overrides.get("name")
    if name == before:
        return
    taken = taken_names(function.server) - {folded(function.public_name)}
    if name is None:
        function.public_name = public_name(function.server.slug, function.name, taken=taken)
        return
    # A name that staff chose is not changed behind their back: a taken one is refused.
    function.public_name = public_name(function.server.slug, name)
    if folded(function.public_name) in taken:
        raise Conflict(gettext("Another tool is known as %s.") % function.public_name, "already_taken")


def _approve(function: ToolFunction) -> None:
    function.approved_hash = function.definition_hash
    function.replaced = function.replaced_at = None
