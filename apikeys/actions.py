"""The verbs of API keys. Views, the admin and commands change keys through these alone."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connection, models, transaction
from django.utils import timezone
from django.utils.translation import gettext
from rest_framework.exceptions import PermissionDenied

from apikeys import audit, keys
from apikeys.models import ApiKey
from core.actor import Actor
from core.errors import Conflict
from core.locking import locked
from core.validation import clean

LONGEST_GRACE = timedelta(days=30)
_LAST = datetime.max.replace(tzinfo=UTC)
"""PostgreSQL stores later times, as of 9999 west of Greenwich, and no row with such a one could be read."""
_MANAGING = {"can_manage", "is_disabled", "expires_at"}
"""Fields that decide whether a key may manage."""


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A key that was just issued or rotated. `key` is the whole key, which is stored nowhere."""

    api_key: ApiKey
    key: str = field(repr=False)


@transaction.atomic
def issue(*, name: str, by: Actor, assistant_ids: Iterable[int] = (), **fields: Any) -> IssuedKey:
    """Issues a key. `fields` are those of the model. Raises ValidationError by field, and Conflict."""
    key = keys.generate()
    api_key = ApiKey(name=name, key_hash=keys.hash_key(key), key_prefix=keys.display_prefix(key), **fields)
    clean(api_key)
    _require_possible_expiry(api_key)
    if api_key.can_approve:
        _require_person(by)
    api_key.save(force_insert=True)
    _grant(api_key, assistant_ids)
    audit.created(api_key, by=by, assistant_ids=_granted(api_key))
    return IssuedKey(api_key, key)


def update(
    api_key: ApiKey,
    *,
    by: Actor,
    is_locked: bool = False,
    assistant_ids: Iterable[int] | None = None,
    **changes: Any,
) -> ApiKey:
    """Changes a key. Raises ValidationError, and Conflict if no key could manage afterwards.

    `is_locked`: see `core.locking`.
    """
    # An edit that was begun before a rotation must not bring the old key_hash back.
    with locked(api_key, is_locked=is_locked):
        # Asked for only where this key may be the last: who cannot manage takes management from nobody.
        may_end = api_key.can_manage and bool(changes.keys() & _MANAGING)
        managing = _lock_managing() if may_end else set()
        _change(api_key, by, assistant_ids, changes)
        if may_end:
            _require_managers(api_key, by, before=managing)
    return api_key


def _change(api_key: ApiKey, by: Actor, assistant_ids: Iterable[int] | None, changes: dict[str, Any]) -> None:
    if changes.get("can_approve", api_key.can_approve) != api_key.can_approve:
        _require_person(by)
    if changes.get("expires_at", api_key.expires_at) != api_key.expires_at:
        changes["expiry_told_days"] = None
    granted = None if assistant_ids is None else lambda: _granted(api_key)
    with audit.changing(api_key, by=by, is_as_stored=True, assistant_ids=granted):
        for name, value in changes.items():
            setattr(api_key, name, value)
        clean(api_key, changed=changes)
        if "expires_at" in changes:
            _require_possible_expiry(api_key)
        _save(api_key, changes)
        if assistant_ids is not None:
            _grant(api_key, assistant_ids)


def disable(api_key: ApiKey, *, by: Actor) -> ApiKey:
    return update(api_key, by=by, is_disabled=True)


@transaction.atomic
def rotate(api_key: ApiKey, *, by: Actor, grace: timedelta) -> IssuedKey:
    """Gives a key a new secret. The last one works until the grace period ends, an older one no more.

    Raises ValidationError for a grace period that is negative or longer than LONGEST_GRACE, and
    PermissionDenied where a key would get the secret of one that may approve.
    """
    if not timedelta() <= grace <= LONGEST_GRACE:
        longest = int(LONGEST_GRACE.total_seconds())
        raise ValidationError({"grace_seconds": gettext("Give a whole number from 0 to %d.") % longest})
    key = keys.generate()
    _lock(api_key)
    if api_key.can_approve and by.kind == "key":
        raise PermissionDenied(gettext("A key that may approve is rotated by a manager, in the console."))
    with audit.changing(api_key, by=by, action="rotated"):
        api_key.previous_key_hash = api_key.key_hash
        api_key.previous_key_until = timezone.now() + grace
        api_key.key_hash, api_key.key_prefix = keys.hash_key(key), keys.display_prefix(key)
        _save(api_key, ["key_hash", "key_prefix", "previous_key_hash", "previous_key_until"])
    return IssuedKey(api_key, key)


@transaction.atomic
def delete(api_key: ApiKey, *, by: Actor) -> None:
    """Deletes a key. Raises Conflict for the last one that may manage."""
    _lock(api_key)
    managing = _lock_managing()
    audit.deleted(api_key, by=by)
    api_key_id = api_key.pk
    api_key.delete()
    api_key.pk = api_key_id  # Django sets it to None, and the check below names the key
    _require_managers(api_key, by, before=managing)


def _lock(api_key: ApiKey) -> None:
    """Locks the row until the transaction ends, and reads it anew.

    The admin reads a key before its form is filled in. Without this, an edit that was begun before a rotation
    would bring the old key_hash back.
    """
    api_key.refresh_from_db(from_queryset=ApiKey.objects.select_for_update())


def _save(api_key: ApiKey, fields: Iterable[str]) -> None:
    api_key.version += 1
    api_key.save(update_fields=[*fields, "version", "updated_at"])


def _require_possible_expiry(api_key: ApiKey) -> None:
    if api_key.expires_at is None:
        return
    if api_key.expires_at <= timezone.now():
        raise ValidationError({"expires_at": gettext("Give a time in the future.")})
    if api_key.expires_at > _LAST:
        raise ValidationError({"expires_at": gettext("Give a time before the year 10000.")})


def _require_person(by: Actor) -> None:
    """Raises ValidationError where a key changes who may approve: no program approves its own calls."""
    if by.kind == "key":
        message = gettext("Only a manager lets a key approve, in the console.")
        raise ValidationError({"can_approve": message})


def _lock_managing() -> set[int]:
    """Returns the ids of the keys that may manage. Until the transaction ends, no other one can change which.

    Else two requests at once could each remove what is the last key of the other.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('apikeys.managing'))")
    return _managing()


def _managing() -> set[int]:
    return set(ApiKey.objects.managing().usable().values_list("pk", flat=True))


def _require_managers(changed: ApiKey, by: Actor, *, before: set[int]) -> None:
    """Raises Conflict if a change took management from the last key that had it, or from the caller's own.

    `before`: the keys that could manage. The rule holds for staff as well: a program that manages this
    installation must not be locked out by a slip in the admin. Commands are exempt, they have the shell.
    """
    if by.kind == "system":
        return
    managing = _managing()
    if changed.pk not in before - managing:
        return
    if not managing:
        raise Conflict(
            gettext("This is the last key that may manage: issue another one first."), "last_managing_key"
        )
    if (by.kind, by.id) == ("key", changed.pk):
        raise Conflict(
            gettext("A key cannot take management away from itself: use another one."), "own_management"
        )


def _granted(api_key: ApiKey) -> list[int]:
    return sorted(api_key.assistants.values_list("pk", flat=True))


def _grant(api_key: ApiKey, assistant_ids: Iterable[int]) -> None:
    ids = set(assistant_ids)
    assistants = _assistants().filter(pk__in=ids)
    missing = ids - {assistant.pk for assistant in assistants}
    if missing:
        message = gettext("There is no assistant %(ids)s.")
        raise ValidationError({"assistant_ids": message % {"ids": ", ".join(map(str, sorted(missing)))}})
    api_key.assistants.set(assistants)


def _assistants() -> models.Manager[Any]:
    # By the reverse relation, which `assistants` declares: this app must not import that one.
    return ApiKey._meta.get_field("assistants").related_model._default_manager
