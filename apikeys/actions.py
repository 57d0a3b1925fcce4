"""What can be done to API keys. Views, the admin and commands call these and nothing else."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.utils import timezone

from apikeys import audit, keys
from apikeys.models import ApiKey
from core.actor import Actor
from core.errors import Conflict
from core.validation import clean


@dataclass(frozen=True, slots=True)
class IssuedKey:
    api_key: ApiKey
    key: str = field(repr=False)
    """The whole key, in the only moment in which it exists here."""


@transaction.atomic
def issue(*, name: str, by: Actor, assistant_ids: Iterable[int] = (), **fields: Any) -> IssuedKey:
    """A new key. `fields` are the model's own. Raises ValidationError, with one entry a field."""
    key = keys.generate()
    api_key = ApiKey(name=name, key_hash=keys.hash_key(key), key_prefix=keys.display_prefix(key), **fields)
    clean(api_key)
    _require_future_expiry(api_key)
    api_key.save(force_insert=True)
    _grant(api_key, assistant_ids)
    audit.created(api_key, by=by, assistant_ids=_granted(api_key))
    return IssuedKey(api_key, key)


@transaction.atomic
def update(
    api_key: ApiKey, *, by: Actor, assistant_ids: Iterable[int] | None = None, **changes: Any
) -> ApiKey:
    """Change a key. Raises ValidationError, and Conflict where nobody could manage any more."""
    with audit.changing(api_key, by=by, assistant_ids=lambda: _granted(api_key)):
        for name, value in changes.items():
            setattr(api_key, name, value)
        clean(api_key)
        if "expires_at" in changes:
            _require_future_expiry(api_key)
        api_key.version += 1
        api_key.save()
        if assistant_ids is not None:
            _grant(api_key, assistant_ids)
        _require_managers(api_key, by)
    return api_key


def disable(api_key: ApiKey, *, by: Actor) -> ApiKey:
    return update(api_key, by=by, is_disabled=True)


@transaction.atomic
def rotate(api_key: ApiKey, *, by: Actor, grace: timedelta) -> IssuedKey:
    """A new secret for the key. The old one works until the grace period ends, an older one no more."""
    key = keys.generate()
    with audit.changing(api_key, by=by, action="rotated"):
        api_key.previous_key_hash = api_key.key_hash
        api_key.previous_key_until = timezone.now() + grace
        api_key.key_hash, api_key.key_prefix = keys.hash_key(key), keys.display_prefix(key)
        api_key.version += 1
        api_key.save()
    return IssuedKey(api_key, key)


@transaction.atomic
def delete(api_key: ApiKey, *, by: Actor) -> None:
    """Raises Conflict for the last key that may manage."""
    audit.deleted(api_key, by=by)
    api_key_id = api_key.pk
    api_key.delete()
    api_key.pk = api_key_id
    _require_managers(api_key, by)


def _require_future_expiry(api_key: ApiKey) -> None:
    if api_key.expires_at is not None and api_key.expires_at <= timezone.now():
        raise ValidationError({"expires_at": "Give a time in the future."})


def _require_managers(changed: ApiKey, by: Actor) -> None:
    """Refuse, and roll back, a change that leaves no key to manage with. Staff still have the console."""
    if by.kind != "key":
        return
    # All managing rows are locked: two requests at once cannot each remove "the other" last one.
    managing = set(ApiKey.objects.managing().usable().select_for_update().values_list("pk", flat=True))
    if not managing:
        raise Conflict("This is the last key that may manage: issue another one first.", "last_managing_key")
    if changed.pk == by.id and changed.pk not in managing:
        raise Conflict("A key cannot take management away from itself: use another one.", "own_management")


def _granted(api_key: ApiKey) -> list[int]:
    return sorted(api_key.assistants.values_list("pk", flat=True))


def _grant(api_key: ApiKey, assistant_ids: Iterable[int]) -> None:
    wanted = set(assistant_ids)
    assistants = _assistants().filter(pk__in=wanted)
    missing = wanted - {assistant.pk for assistant in assistants}
    if missing:
        raise ValidationError(
            {"assistant_ids": f"There is no assistant {', '.join(map(str, sorted(missing)))}."}
        )
    api_key.assistants.set(assistants)


def _assistants() -> models.Manager[Any]:
    """By the reverse relation: `assistants` declares it, and this app knows no other."""
    return ApiKey._meta.get_field("assistants").related_model._default_manager
