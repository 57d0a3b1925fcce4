"""Creates, changes, copies and deletes assistants."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext

from apikeys import audit
from apikeys.models import ApiKey
from assistants import names
from assistants.actions import tool_uses
from assistants.actions.rules import copy_rules
from assistants.actions.tool_uses import Tools, ToolUse
from assistants.models import (
    Assistant,
)
from core import broker
from core.actor import Actor
from core.locking import locked
from core.validation import clean
from tools import feedback
from tools.models import Embedded
from tools.names import slugify

INDEX = "assistants.tasks.index_assistants"
_OWN = {"id", "name", "slug", "version", "created_at", "updated_at"}
_OWN |= {field.name for field in Embedded._meta.fields}
"""Fields that a copy does not share with its original."""
_INDEXED = {"name", "description", "system_prompt", "is_enabled"}
"""Fields that decide whether the model `auto` finds an assistant, and by which text, beside its tools."""


@transaction.atomic
def create(
    *,
    name: str,
    by: Actor,
    slug: str = "",
    aliases: Iterable[str] = (),
    tools: Tools = (),
    api_keys: Iterable[ApiKey] = (),
    **fields: Any,
) -> Assistant:
    """Creates an assistant. An empty slug is made of the name. Raises ValidationError and Conflict."""
    assistant = Assistant(name=name, slug=slug or slugify(name), **fields)
    names.require_free_slug(assistant.slug)
    clean(assistant)
    assistant.save(force_insert=True)
    _relate(assistant, aliases, tools, api_keys)
    audit.created(
        assistant,
        by=by,
        aliases=_aliases(assistant),
        tools=_tools(assistant),
        api_key_ids=_api_key_ids(assistant),
    )
    _index_after_commit()
    return assistant


def update(
    assistant: Assistant,
    *,
    by: Actor,
    is_locked: bool = False,
    aliases: Iterable[str] | None = None,
    tools: Tools | None = None,
    api_keys: Iterable[ApiKey] | None = None,
    **changes: Any,
) -> Assistant:
    """Changes an assistant; None leaves aliases, tools or keys. Raises ValidationError and Conflict.

    `is_locked`: see `core.locking`.
    """
    with locked(assistant, is_locked=is_locked):
        _change(assistant, by, {"aliases": aliases, "tools": tools, "api_keys": api_keys}, changes)
        if changes.get("learns") is False:
            feedback.forget(assistant.pk)
        if tools is not None or changes.keys() & _INDEXED:
            _index_after_commit()
    return assistant


def _change(assistant: Assistant, by: Actor, related: dict[str, Any], changes: Mapping[str, Any]) -> None:
    if changes.get("slug", assistant.slug) != assistant.slug:
        raise ValidationError(
            {"slug": gettext("A slug cannot be changed: callers name the assistant by it.")}
        )
    with audit.changing(
        assistant,
        by=by,
        is_as_stored=True,
        aliases=None if related["aliases"] is None else lambda: _aliases(assistant),
        tools=None if related["tools"] is None else lambda: _tools(assistant),
        api_key_ids=None if related["api_keys"] is None else lambda: _api_key_ids(assistant),
    ):
        for name, value in changes.items():
            setattr(assistant, name, value)
        clean(assistant, changed=changes)
        _relate(assistant, **related)
        assistant.version += 1
        assistant.save(update_fields=[*changes, "version", "updated_at"])


@transaction.atomic
def duplicate(assistant: Assistant, *, by: Actor, name: str = "", slug: str = "") -> Assistant:
    """Creates a copy with the same tools and rules, but without keys, and aliases, which are unique."""
    names_of_ours = {field.attname for field in Assistant._meta.concrete_fields} - _OWN
    free_name, free_slug = names.for_copy(assistant)
    copy = create(
        by=by,
        name=name or free_name,
        slug=slug or (slugify(name) if name else free_slug),
        tools=[ToolUse(link.mcp_tool, link.functions, tuple(link.pinned)) for link in assistant.uses],
        **{name: getattr(assistant, name) for name in names_of_ours},
    )
    copy_rules(assistant, to=copy, by=by)
    return copy


@transaction.atomic
def delete(assistant: Assistant, *, by: Actor) -> None:
    """Deletes an assistant and its relevance feedback. Its runs remain."""
    audit.deleted(assistant, by=by)
    feedback.forget(assistant.pk)
    assistant.delete()


def grant(assistant: Assistant, api_key: ApiKey) -> None:
    """Lets a key call an assistant."""
    assistant.api_keys.add(api_key)


def _index_after_commit() -> None:
    """The model `auto` finds assistants by this index. Beat asks for it, too, if this message is lost."""
    transaction.on_commit(_ask_for_index)


def _ask_for_index() -> None:
    warning = "No worker was asked to index assistants (%s); beat asks within half a minute."
    broker.send_hint(INDEX, warning=warning)


def _aliases(assistant: Assistant) -> list[str]:
    return sorted(assistant.alias_rows.values_list("name", flat=True))


def _tools(assistant: Assistant) -> list[Any]:
    links = assistant.assistant_tools.order_by("mcp_tool_id")
    return list(links.values("mcp_tool_id", "functions", "pinned"))


def _api_key_ids(assistant: Assistant) -> list[int]:
    return sorted(assistant.api_keys.values_list("pk", flat=True))


def _relate(
    assistant: Assistant,
    aliases: Iterable[str] | None,
    tools: Tools | None,
    api_keys: Iterable[ApiKey] | None,
) -> None:
    if aliases is not None:
        names.set_aliases(assistant, set(aliases))
    if tools is not None:
        tool_uses.replace(assistant, list(tools))
    if api_keys is not None:
        assistant.api_keys.set(api_keys)
