"""What can be done to API keys. Views, the admin and commands call these and nothing else."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F

from apikeys import keys
from apikeys.models import ApiKey


@dataclass(frozen=True, slots=True)
class IssuedKey:
    api_key: ApiKey
    key: str = field(repr=False)
    """The whole key, in the only moment in which it exists here."""


@transaction.atomic
def issue(
    *,
    name: str,
    can_manage: bool = False,
    can_call_assistant: bool = True,
    is_disabled: bool = False,
    expires_at: datetime | None = None,
) -> IssuedKey:
    """A new key. Raises ValidationError for a bad or taken name."""
    key = keys.generate()
    api_key = ApiKey(
        name=name,
        key_hash=keys.hash_key(key),
        key_prefix=keys.display_prefix(key),
        can_manage=can_manage,
        can_call_assistant=can_call_assistant,
        is_disabled=is_disabled,
        expires_at=expires_at,
    )
    api_key.full_clean()
    api_key.save(force_insert=True)
    return IssuedKey(api_key, key)


@transaction.atomic
def update(api_key: ApiKey, **changes: Any) -> ApiKey:
    """Change name, permissions or expiry. Raises ValidationError."""
    for name, value in changes.items():
        setattr(api_key, name, value)
    api_key.full_clean()
    api_key.save(update_fields=[*changes, "updated_at"])
    ApiKey.objects.filter(pk=api_key.pk).update(version=F("version") + 1)
    return api_key


def disable(api_key: ApiKey) -> ApiKey:
    return update(api_key, is_disabled=True)


@transaction.atomic
def delete(api_key: ApiKey) -> None:
    api_key.delete()
