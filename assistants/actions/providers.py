"""Adds, changes and deletes providers, which are LLM services."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F

from apikeys import audit
from assistants.actions.assistants import update
from assistants.models import Provider
from core.actor import Actor
from core.errors import Conflict
from core.validation import clean


@transaction.atomic
def add_provider(*, name: str, default_model: str, by: Actor, **fields: Any) -> Provider:
    """Adds a provider. Raises ValidationError and Conflict."""
    provider = Provider(name=name, default_model=default_model, **fields)
    clean(provider)
    provider.save(force_insert=True)
    audit.created(provider, by=by)
    return provider


@transaction.atomic
def update_provider(provider: Provider, *, by: Actor, **changes: Any) -> Provider:
    """Changes a provider. Raises Conflict and ValidationError.

    Another address needs the key again: else whoever may edit a provider, but not read its key, could have it
    sent to an address of their own.
    """
    moves = changes.get("base_url", provider.base_url) != provider.base_url
    if moves and provider.api_key and "api_key" not in changes:
        raise ValidationError({"api_key": "Give the key again: the address is another one."})
    with audit.changing(provider, by=by):
        for name, value in changes.items():
            setattr(provider, name, value)
        clean(provider)
        provider.save(update_fields=[*changes, "updated_at"])
    Provider.objects.filter(pk=provider.pk).update(version=F("version") + 1)
    return provider


@transaction.atomic
def delete_provider(provider: Provider, *, by: Actor, force: bool = False) -> None:
    """Deletes a provider. Raises Conflict while assistants use it, unless with `force`.

    Those assistants get the provider of the settings then.
    """
    users = list(provider.assistants.order_by("slug"))
    if users and not force:
        slugs = ", ".join(assistant.slug for assistant in users)
        raise Conflict(f"Assistants use it: {slugs}. With ?force=true they lose it.", "in_use")
    for assistant in users:
        update(assistant, by=by, provider=None)
    audit.deleted(provider, by=by)
    provider.delete()
