"""API keys and assistants: who calls, and who is called."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Prefetch, QuerySet
from django.utils import timezone

from apikeys import actions as key_actions
from apikeys.models import ApiKey
from assistants import actions
from assistants.configuration.kinds import Fields, Kind, as_shown, named
from assistants.configuration.schema import AssistantEntry, KeyEntry
from assistants.configuration.secret_references import Filling
from assistants.models import Assistant, AssistantTool, Provider
from core.actor import Actor
from tools.models import MCPTool

_ROLES = ("provider", "fallback_provider")


class Keys(Kind[ApiKey]):
    section, noun, entry = "api_keys", "API key", KeyEntry
    step = "nobody has seen its secret: rotate it to get one for its user."

    def rows(self) -> Iterable[ApiKey]:
        return ApiKey.objects.order_by("name")

    def shown(self, row: ApiKey) -> Fields:
        return as_shown(row, KeyEntry)

    def is_exported(self, row: ApiKey) -> bool:
        return not is_expired(row)

    def add(self, fields: Fields, by: Actor) -> ApiKey:
        return key_actions.issue(by=by, **fields).api_key

    def change(self, row: ApiKey, fields: Fields, changed: set[str], filling: Filling, by: Actor) -> None:
        key_actions.update(row, by=by, **{name: fields[name] for name in changed})

    def remove(self, row: ApiKey, by: Actor) -> None:
        key_actions.delete(row, by=by)


def is_expired(api_key: ApiKey) -> bool:
    """Whether a key has expired. It is not exported, with what refers to it: no new one can be made so."""
    return api_key.expires_at is not None and api_key.expires_at <= timezone.now()


class Assistants(Kind[Assistant]):
    section, noun, entry = "assistants", "assistant", AssistantEntry

    def __init__(self) -> None:
        self._providers = {row.name: row for row in Provider.objects.all()}
        self._servers = {row.slug: row for row in _slugs(MCPTool.objects.present())}
        self._keys = {row.name: row for row in ApiKey.objects.all()}

    def rows(self) -> Iterable[Assistant]:
        servers = Prefetch("assistant_tools__mcp_tool", _slugs(MCPTool.objects.all()))
        rows = Assistant.objects.without_vectors().select_related(*_ROLES)
        return rows.prefetch_related("alias_rows", "api_keys", servers).order_by("slug")

    def shown(self, row: Assistant) -> Fields:
        return as_shown(
            row,
            AssistantEntry,
            tools=sorted(map(_use, row.uses), key=_server_of),
            api_keys=sorted(key.name for key in row.api_keys.all()),
            provider=row.provider.name if row.provider else "",
            fallback_provider=row.fallback_provider.name if row.fallback_provider else "",
        )

    def filled(self, fields: Fields, stored: Fields, filling: Filling) -> Fields:
        return {**fields, "tools": sorted(fields["tools"], key=_server_of)}

    def add(self, fields: Fields, by: Actor) -> Assistant:
        return actions.create(by=by, **{name: self._as_verb(name, value) for name, value in fields.items()})

    def change(self, row: Assistant, fields: Fields, changed: set[str], filling: Filling, by: Actor) -> None:
        actions.update(row, by=by, **{name: self._as_verb(name, fields[name]) for name in changed})

    def remove(self, row: Assistant, by: Actor) -> None:
        actions.delete(row, by=by)

    def _as_verb(self, name: str, value: Any) -> Any:
        """Returns the rows for names."""
        if name in _ROLES:
            return named(self._providers, value, name, "provider") if value else None
        if name == "api_keys":
            return [named(self._keys, each, name, "API key") for each in value]
        if name == "tools":
            return [self._tool_use(at, use) for at, use in enumerate(value)]
        return value

    def _tool_use(self, at: int, use: Fields) -> actions.ToolUse:
        server = named(self._servers, use["server"], f"tools[{at}].server", "server")
        return actions.ToolUse(server, use["functions"], tuple(use["pinned"]))


def _slugs(servers: QuerySet[MCPTool]) -> QuerySet[MCPTool]:
    # Without their secrets, each of which would be decrypted.
    return servers.only("slug", "deleted_at")


def _server_of(use: Fields) -> str:
    slug: str = use["server"]
    return slug


def _use(link: AssistantTool) -> Fields:
    functions = None if link.functions is None else sorted(link.functions)
    return {"server": link.mcp_tool.slug, "functions": functions, "pinned": sorted(link.pinned)}
