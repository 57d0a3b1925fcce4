"""The audit log: verbs record here who changed what, in the transaction of the change."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import models
from django.utils import translation

from apikeys.models import AuditEntry
from core.actor import Actor

EXCLUDED = {
    "version",
    "created_at",
    "updated_at",
    "last_used_at",
    "expiry_told_days",
    "key_hash",
    "previous_key_hash",
    "embedding",
    "embedder",
    "next_embedding",
    "next_embedder",
    "indexed_hash",
    "words",
    "password",
    "last_login",
}
"""Fields that are not recorded: derived ones, and hashes of keys and passwords."""


def created(obj: models.Model, *, by: Actor, **related: Any) -> None:
    """Records a new row. `related`: values to record beside its own fields."""
    _record("created", obj, by, before=None, after=_snapshot(obj) | related)


def deleted(obj: models.Model, *, by: Actor) -> None:
    """Records the row of `obj`. Call it before the row is deleted."""
    _record("deleted", obj, by, before=_snapshot(obj), after=None)


def happened(action: str, *, by: Actor, kind: str, object_id: int, name: str, **details: Any) -> None:
    """Records what changed no row, for instance a failed login. `object_id` is 0 if there is no such row."""
    _write(action, by, kind=kind, object_id=object_id, name=name, before=None, after=details or None)


@contextmanager
def changing(
    obj: models.Model,
    *,
    by: Actor,
    action: str = "updated",
    is_as_stored: bool = False,
    **related: Callable[[], Any] | None,
) -> Iterator[None]:
    """Records what the block changes in the row of `obj` and in what `related` returns; nothing if nothing.

    None stands for what it does not change. After the block, `obj` must hold the values that were stored.
    `is_as_stored`: it holds them before, too; otherwise they are read, since a form of the admin sets the new
    ones on its row.
    """
    stored = obj if is_as_stored else type(obj)._default_manager.get(pk=obj.pk)
    before = _values(stored) | _read(related)
    yield
    after = _values(obj) | _read(related)
    differing = [name for name in after if before[name] != after[name]]
    if differing:
        _record(action, obj, by, before=_masked(obj, before, differing), after=_masked(obj, after, differing))


def _read(related: Mapping[str, Callable[[], Any] | None]) -> dict[str, Any]:
    return {name: read() for name, read in related.items() if read is not None}


def _snapshot(obj: models.Model) -> dict[str, Any]:
    values = _values(obj)
    return _masked(obj, values, values)


def _values(obj: models.Model) -> dict[str, Any]:
    fields = (field for field in obj._meta.concrete_fields if field.name not in EXCLUDED)
    return {field.name: field.value_from_object(obj) for field in fields}


def _masked(obj: models.Model, values: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Returns the values as staff may see them: a field with secrets has a method `masked` for its values."""
    masks = {field.name: field.masked for field in obj._meta.concrete_fields if hasattr(field, "masked")}
    return {name: masks[name](values[name]) if name in masks else values[name] for name in names}


def _record(action: str, obj: models.Model, by: Actor, *, before: Any, after: Any) -> None:
    with translation.override(None):  # an entry is in English, whatever its author reads
        kind = str(obj._meta.verbose_name_raw)  # in English, whoever did it
    _write(action, by, kind=kind, object_id=obj.pk, name=str(obj), before=before, after=after)


def _write(action: str, by: Actor, *, kind: str, object_id: int, name: str, before: Any, after: Any) -> None:
    AuditEntry.objects.create(
        actor_kind=by.kind,
        actor_id=by.id,
        actor_name=by.name,
        action=action,
        object_kind=kind,
        object_id=object_id,
        object_name=name[:255],
        before=before,
        after=after,
        request_id=by.request_id,
        address=by.address,
    )
