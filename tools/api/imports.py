"""Serializers of the `mcpServers` JSON of Claude Desktop, Cursor and VS Code."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from core.api.serializers import NullFreeCharField, StrictSerializer
from tools.importing import Entry
from tools.validation import LONGEST_TEXT

MOST_SERVERS = 100
_ADDRESSES = ("url", "serverUrl", "httpUrl")
_SYNONYMS = {*_ADDRESSES, "transport", "enabled"}


def _text(value: Any) -> str:
    """Returns a string, number or boolean as the text that MCP clients make of it."""
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str | int | float):
        raise serializers.ValidationError("Give the values as texts.")
    return str(value)


class TextField(NullFreeCharField):
    """A string, number or boolean, which becomes a string."""

    def to_internal_value(self, data: Any) -> str:
        return super().to_internal_value(_text(data))


class VariablesField(serializers.DictField):
    """An object of strings, numbers and booleans, which becomes one of strings, as in MCP clients."""

    child = serializers.JSONField()

    def to_internal_value(self, data: Any) -> dict[str, str]:
        if isinstance(data, Mapping):
            data = {name: value for name, value in data.items() if value is not None}
        values = super().to_internal_value(data)
        return {name: _text(value) for name, value in values.items()}


class EntrySerializer(serializers.Serializer[Any]):
    """One server. Settings that only a client knows are ignored, and reported."""

    type = NullFreeCharField(required=False, max_length=32)
    command = NullFreeCharField(required=False, max_length=1024)
    args = serializers.ListField(
        child=TextField(allow_blank=True, trim_whitespace=False, max_length=LONGEST_TEXT), required=False
    )
    env = VariablesField(required=False)
    url = NullFreeCharField(required=False, max_length=2048)
    headers = VariablesField(required=False)
    disabled = serializers.BooleanField(required=False)

    def to_internal_value(self, data: Any) -> Entry:
        if not isinstance(data, Mapping):
            raise serializers.ValidationError("Give the server as an object.")
        given = {name: value for name, value in data.items() if value is not None}
        known = super().to_internal_value(_in_our_words(given))
        ignored = sorted(map(str, given.keys() - self.fields.keys() - _SYNONYMS))
        return Entry(**known, ignored=tuple(ignored))


def _in_our_words(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Returns an entry with the names of Claude Desktop in place of those of other clients."""
    renamed = dict(entry)
    if address := next((entry[name] for name in _ADDRESSES if entry.get(name)), None):
        renamed["url"] = address
    # Gemini CLI: `url` is SSE, `httpUrl` is streamable HTTP, whatever its path ends in.
    if "transport" in entry or (entry.get("httpUrl") and not entry.get("url")):
        renamed.setdefault("type", entry.get("transport", "http"))
    if entry.get("enabled") is False:
        renamed["disabled"] = True
    return renamed


class ServersField(serializers.DictField):
    child = EntrySerializer()

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if isinstance(data, Mapping) and len(data) > MOST_SERVERS:
            raise serializers.ValidationError(f"Give up to {MOST_SERVERS} servers at once.")
        return super().to_internal_value(data)


class ImportSerializer(StrictSerializer):
    mcpServers = ServersField(required=False, help_text="As Claude Desktop and Cursor write it.")  # noqa: N815
    servers = ServersField(required=False, help_text="As VS Code writes it.")
    inputs = serializers.ListField(
        child=serializers.JSONField(), required=False, help_text="VS Code's prompts for secrets."
    )

    def to_internal_value(self, data: Any) -> Any:
        """Reads a client's file, without its other settings; VS Code nests servers under `mcp`."""
        if isinstance(data, Mapping):
            nested = data.get("mcp")
            merged = {**(nested if isinstance(nested, Mapping) else {}), **data}
            data = {name: merged[name] for name in self.fields if merged.get(name) is not None}
        return super().to_internal_value(data)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        servers = attrs.get("mcpServers", {}) | attrs.get("servers", {})
        if not servers:
            raise serializers.ValidationError({"mcpServers": ["Give at least one server."]})
        return {"servers": servers}


@extend_schema_serializer(component_name="Part")  # generated clients know it by this name
class SecretLocationSerializer(serializers.Serializer[Any]):
    field = serializers.ChoiceField(["env", "args", "url", "headers"])
    name = serializers.CharField()


class ImportedSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField(source="mcp_tool.id")
    name = serializers.CharField(source="mcp_tool.name")
    slug = serializers.CharField(source="mcp_tool.slug")
    is_enabled = serializers.BooleanField(source="mcp_tool.is_enabled")
    secrets = SecretLocationSerializer(many=True, help_text="Found, and kept encrypted.")
    missing = SecretLocationSerializer(many=True, help_text="To be given before the server can run.")
    warnings = serializers.ListField(child=serializers.CharField())


class ExportedEntrySerializer(serializers.Serializer[Any]):
    type = serializers.ChoiceField(["http", "sse"], required=False)
    command = serializers.CharField(required=False)
    args = serializers.ListField(child=serializers.CharField(), required=False)
    env = serializers.DictField(child=serializers.CharField(), required=False)
    url = serializers.CharField(required=False)
    headers = serializers.DictField(child=serializers.CharField(), required=False)


class ExportSerializer(serializers.Serializer[Any]):
    mcpServers = serializers.DictField(child=ExportedEntrySerializer())  # noqa: N815
