"""Adds, changes and deletes providers, which are LLM services."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, Q
from django.utils.translation import gettext

from apikeys import audit
from assistants.actions.assistants import update
from assistants.models import Assistant, Provider
from core.actor import Actor
from core.errors import Conflict
from core.validation import clean
from tools.secrets.masking import MASK, UNREADABLE

KEPT = (MASK, UNREADABLE)
"""What is shown for a stored key. Sent back it means: unchanged."""


@transaction.atomic
def add_provider(*, name: str, default_model: str, by: Actor, **fields: Any) -> Provider:
    """Adds a provider. Raises ValidationError and Conflict."""
    provider = Provider(name=name, default_model=default_model, **fields)
    if provider.api_key in KEPT:
        provider.api_key = ""  # nothing is stored that they could stand for
    clean(provider)
    provider.save(force_insert=True)
    audit.created(provider, by=by)
    return provider


@transaction.atomic
def update_provider(provider: Provider, *, by: Actor, **changes: Any) -> Provider:
    """Changes a provider; a masked key stays as it is stored. Raises Conflict and ValidationError."""
    # Read anew: a form of the admin has already changed its own row, whose key is masked.
    provider.refresh_from_db(from_queryset=Provider.objects.select_for_update())
    if changes.get("api_key") in KEPT:
        del changes["api_key"]
    _require_key_again(provider, changes)
    with audit.changing(provider, by=by):
        for name, value in changes.items():
            setattr(provider, name, value)
        clean(provider)
        provider.save(update_fields=[*changes, "updated_at"])
    Provider.objects.filter(pk=provider.pk).update(version=F("version") + 1)
    return provider


@transaction.atomic
def delete_provider(provider: Provider, *, by: Actor, force: bool = False) -> None:
    """Deletes a provider. Raises Conflict while assistants use it, as a fallback too, unless with `force`.

    Those assistants get the provider of the settings then, or no fallback.
    """
    users = Assistant.objects.filter(Q(provider=provider) | Q(fallback_provider=provider)).order_by("slug")
    if users and not force:
        slugs = ", ".join(assistant.slug for assistant in users)
        message = gettext("Assistants use it: %(slugs)s. With ?force=true they lose it.")
        using = [{"id": each.pk, "name": each.name, "slug": each.slug} for each in users]
        raise Conflict(message % {"slugs": slugs}, "in_use", assistants=using)
    for assistant in users:
        roles = ("provider", "fallback_provider")
        has_lost = (role for role in roles if getattr(assistant, f"{role}_id") == provider.pk)
        lost: dict[str, Any] = dict.fromkeys(has_lost)
        update(assistant, by=by, **lost)
    audit.deleted(provider, by=by)
    provider.delete()


def _require_key_again(provider: Provider, changes: Mapping[str, Any]) -> None:
    """Raises ValidationError if a stored key would follow its provider to another address.

    Else whoever may edit a provider, but not read its key, could have it sent to an address of their own.
    """
    kind, base_url = (changes.get(name, getattr(provider, name)) for name in ("kind", "base_url"))
    # Without an address it is the vendor's own, which the kind decides.
    moves = (base_url or kind) != (provider.base_url or provider.kind)
    if moves and provider.api_key and "api_key" not in changes:
        raise ValidationError({"api_key": gettext("Give the key again: the address is another one.")})
