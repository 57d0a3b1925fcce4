"""Serializers of an import: the files of MCP clients, and what becomes of each server in one."""

from collections.abc import Mapping, Sequence
from typing import IO, Any

from django.core.exceptions import ValidationError
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers
from rest_framework.exceptions import APIException

from core import jsonc, strict_json
from core.api.parsers import StrictJSONParser
from core.api.serializers import NullFreeCharField
from core.errors import InvalidRequest
from tools import importing
from tools.importing import Document, Imported, Outcome
from tools.models import ConnectionType, MCPTool

SECRETS = MCPTool.secret_fields()


class FileParser(StrictJSONParser):
    """Parses JSON as people edit it, with comments and commas before a closing bracket."""

    def loads(self, stream: IO[bytes]) -> dict[str, Any]:
        try:
            text = stream.read().decode()
        except UnicodeDecodeError as error:
            raise InvalidRequest("The request body is not valid UTF-8.", code="invalid_json") from error
        return strict_json.loads(jsonc.as_json(text).encode())


class ImportSerializer(serializers.Serializer[Any]):
    """The file of an MCP client, with its other settings; or its text, as `text` and alone."""

    text = NullFreeCharField(
        required=False, help_text="A whole file, or a part of one, as text: JSON with comments, or YAML."
    )
    mcpServers = serializers.JSONField(  # noqa: N815
        required=False, help_text="By name, as most clients write them; Continue has a list."
    )
    servers = serializers.JSONField(required=False, help_text="As VS Code writes them.")
    context_servers = serializers.JSONField(required=False, help_text="As Zed writes them.")
    inputs = serializers.JSONField(required=False, help_text="VS Code's prompts for secrets.")

    def to_internal_value(self, data: Any) -> Document:
        """Returns the servers of a file, whose other settings are not looked at."""
        if not isinstance(data, Mapping):
            raise serializers.ValidationError({"mcpServers": ["Give the file as an object."]})
        text = data.get("text")
        return importing.find_servers(data if text is None else _read(text))


def _read(text: Any) -> dict[str, Any]:
    if not isinstance(text, str):
        raise serializers.ValidationError({"text": ["Give the file as a text."]})
    try:
        return importing.read(text)
    except ValidationError as error:
        raise serializers.ValidationError({"text": error.messages}) from error


class ImportOptionsSerializer(serializers.Serializer[Any]):
    update = serializers.BooleanField(  # type: ignore[assignment]  # a field
        default=False, help_text="Change servers whose name is registered, where they differ."
    )


@extend_schema_serializer(component_name="Part")  # generated clients know it by this name
class SecretLocationSerializer(serializers.Serializer[Any]):
    field = serializers.ChoiceField(["env", "args", "url", "headers"])
    name = serializers.CharField()


class ImportedSerializer(serializers.Serializer[Any]):
    """What became of one server; in a preview, what would. Without a row there are `errors` alone."""

    id = serializers.IntegerField(allow_null=True)
    name = serializers.CharField()
    slug = serializers.CharField(allow_null=True)
    status = serializers.ChoiceField([str(each) for each in Outcome])
    is_enabled = serializers.BooleanField(allow_null=True)
    connection_type = serializers.ChoiceField(ConnectionType.choices, allow_null=True)
    command = serializers.CharField(allow_blank=True)
    args = serializers.ListField(child=serializers.CharField(), help_text="What looks secret is masked.")
    env = serializers.DictField(child=serializers.CharField(), help_text="Values are masked.")
    url = serializers.CharField(allow_blank=True, help_text="What looks secret is masked.")
    headers = serializers.DictField(child=serializers.CharField(), help_text="Values are masked.")
    secrets = SecretLocationSerializer(many=True, help_text="Found, and kept encrypted.")
    missing = SecretLocationSerializer(many=True, help_text="To be given before the server can run.")
    warnings = serializers.ListField(child=serializers.CharField())
    errors = serializers.DictField(  # type: ignore[assignment]  # a field
        child=serializers.ListField(child=serializers.CharField()), help_text="Why it was refused, by field."
    )

    def to_representation(self, instance: Imported) -> dict[str, Any]:
        row = instance.mcp_tool
        blank = MCPTool(connection_type="")
        shown = {name: field.masked(getattr(row or blank, name)) for name, field in SECRETS.items()}
        parts = {
            name: SecretLocationSerializer(getattr(instance, name), many=True).data
            for name in ("secrets", "missing")
        }
        return {
            "id": row and row.pk,
            "name": instance.name,
            "slug": row and row.slug,
            "status": str(instance.status),
            "is_enabled": row and row.is_enabled,
            "connection_type": row and row.connection_type,
            "command": row.command if row else "",
            **shown,
            **parts,
            "warnings": instance.warnings,
            "errors": instance.errors,
        }


class NothingImported(APIException):
    """422: every server of a file was refused; 409 where the names of all are taken."""

    def __init__(self, imported: Sequence[Imported]) -> None:
        fields = {
            f"{each.name}.{name}": messages for each in imported for name, messages in each.errors.items()
        }
        is_conflict = all(each.status == Outcome.CONFLICT for each in imported)
        message = "; ".join(f"{name}: {' '.join(messages)}" for name, messages in fields.items())
        super().__init__(message, "already_taken" if is_conflict else "validation_error")
        self.status_code = 409 if is_conflict else 422
        self.details = {"fields": fields}


def status_of(imported: Sequence[Imported]) -> int:
    """Returns the HTTP status of an import. Raises NothingImported if every server was refused.

    207: some were refused (RFC 4918, section 11.1); 201: at least one was created.
    """
    if all(each.is_refused for each in imported):
        raise NothingImported(imported)
    if any(each.is_refused for each in imported):
        return 207
    return 201 if any(each.status == Outcome.CREATED for each in imported) else 200


class ExportedEntrySerializer(serializers.Serializer[Any]):
    type = serializers.ChoiceField(["http", "sse"], required=False)
    command = serializers.CharField(required=False)
    args = serializers.ListField(child=serializers.CharField(), required=False)
    env = serializers.DictField(child=serializers.CharField(), required=False)
    url = serializers.CharField(required=False)
    headers = serializers.DictField(child=serializers.CharField(), required=False)


class ExportSerializer(serializers.Serializer[Any]):
    mcpServers = serializers.DictField(child=ExportedEntrySerializer())  # noqa: N815
