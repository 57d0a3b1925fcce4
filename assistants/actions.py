"""What can be done to assistants and their providers. Views, the admin and commands call these alone."""

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F

from apikeys import audit
from apikeys.audit import Actor
from apikeys.models import ApiKey
from assistants.models import Assistant, Provider
from tools.models import MCPTool
from tools.names import slugify


@transaction.atomic
def create(
    *,
    name: str,
    by: Actor,
    slug: str = "",
    tools: Iterable[MCPTool] = (),
    api_keys: Iterable[ApiKey] = (),
    **fields: Any,
) -> Assistant:
    """A new assistant; its slug is made from its name where none is given. Raises ValidationError."""
    assistant = Assistant(name=name, slug=slug or slugify(name), **fields)
    assistant.full_clean()
    assistant.save(force_insert=True)
    audit.created(assistant, by=by)
    assistant.tools.set(tools)
    assistant.api_keys.set(api_keys)
    return assistant


@transaction.atomic
def update(
    assistant: Assistant,
    *,
    by: Actor,
    tools: Iterable[MCPTool] | None = None,
    api_keys: Iterable[ApiKey] | None = None,
    **changes: Any,
) -> Assistant:
    """Change an assistant; None leaves its tools or keys as they are. Raises ValidationError."""
    if changes.get("slug", assistant.slug) != assistant.slug:
        raise ValidationError({"slug": "A slug cannot be changed: callers name the assistant by it."})
    for name, value in changes.items():
        setattr(assistant, name, value)
    assistant.full_clean()
    with audit.changing(assistant, by=by):
        assistant.save(update_fields=[*changes, "updated_at"])
    if tools is not None:
        assistant.tools.set(tools)
    if api_keys is not None:
        assistant.api_keys.set(api_keys)
    Assistant.objects.filter(pk=assistant.pk).update(version=F("version") + 1)
    assistant.refresh_from_db(fields=["version"])
    return assistant


@transaction.atomic
def delete(assistant: Assistant, *, by: Actor) -> None:
    audit.deleted(assistant, by=by)
    assistant.delete()


def grant(assistant: Assistant, api_key: ApiKey) -> None:
    """Let a key call an assistant."""
    assistant.api_keys.add(api_key)


@transaction.atomic
def add_provider(*, name: str, default_model: str, by: Actor, **fields: Any) -> Provider:
    """A new LLM service. Raises ValidationError."""
    provider = Provider(name=name, default_model=default_model, **fields)
    provider.full_clean()
    provider.save(force_insert=True)
    audit.created(provider, by=by)
    return provider


@transaction.atomic
def delete_provider(provider: Provider, *, by: Actor) -> None:
    """Raises ProtectedError while an assistant uses it."""
    audit.deleted(provider, by=by)
    provider.delete()


@transaction.atomic
def update_provider(provider: Provider, *, by: Actor, **changes: Any) -> Provider:
    """Raises ValidationError."""
    for name, value in changes.items():
        setattr(provider, name, value)
    provider.full_clean()
    with audit.changing(provider, by=by):
        provider.save(update_fields=[*changes, "updated_at"])
    Provider.objects.filter(pk=provider.pk).update(version=F("version") + 1)
    return provider
