"""/api/v1/assistants"""

from collections.abc import Iterable, Mapping
from typing import Any

import django_filters
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apikeys.models import ApiKey
from assistants import actions
from assistants.actions import ToolUse
from assistants.api.fields import FunctionsField, RowsField
from assistants.catalogue.entries import SCHEMA_TOKEN_BUDGET
from assistants.models import Assistant, Provider
from assistants.validation import (
    LONGEST_FUNCTION,
    MOST_ALIASES,
    MOST_PINNED,
    MOST_SERVERS,
    SMALLEST_SEARCH_BUDGET,
)
from core.api.filters import LARGEST_ID, IdFilter
from core.api.serializers import NullFreeCharField, StrictSerializer
from core.api.viewsets import ManagementViewSet
from tools.models import MCPTool

_RELATED = {"aliases", "tools", "api_keys"}


class ToolUseSerializer(StrictSerializer):
    mcp_tool_id = serializers.IntegerField(min_value=1, max_value=LARGEST_ID)
    functions = FunctionsField(default=None)
    pinned = serializers.ListField(
        child=NullFreeCharField(max_length=LONGEST_FUNCTION), default=list, max_length=MOST_PINNED
    )


@extend_schema_field(
    {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "temperature": {"type": "number", "minimum": 0, "maximum": 2},
            "top_p": {"type": "number", "minimum": 0, "maximum": 1},
            "max_tokens": {"type": "integer", "minimum": 1, "maximum": 2**31 - 1},
            "reasoning_effort": {"type": "string", "pattern": "^[a-z_-]{1,32}$"},
            "extra": {"type": "object", "additionalProperties": True},
        },
    }
)
class ParametersField(serializers.JSONField):
    """Parameters of requests to the model. `assistants.validation` checks them, for the admin too."""


class AssistantSerializer(StrictSerializer):
    """`mcp_tool_ids` names whole servers, `tools` can narrow them to some functions: give one of the two."""

    id = serializers.IntegerField(read_only=True)
    version = serializers.IntegerField(read_only=True)
    name = NullFreeCharField(max_length=255)
    slug = NullFreeCharField(
        required=False, max_length=63, help_text="The model that callers name. It cannot be changed."
    )
    aliases = serializers.ListField(
        child=NullFreeCharField(max_length=128),
        source="alias_names",
        required=False,
        max_length=MOST_ALIASES,
    )
    description = NullFreeCharField(required=False, allow_blank=True)
    system_prompt = NullFreeCharField(required=False, allow_blank=True)
    provider_id: Any = serializers.PrimaryKeyRelatedField(
        source="provider",
        queryset=Provider.objects.all(),
        pk_field=serializers.IntegerField(min_value=1, max_value=LARGEST_ID),
        required=False,
        allow_null=True,
        help_text="null: the one of the environment.",
    )
    model = NullFreeCharField(required=False, allow_blank=True, max_length=255)
    fallback_provider_id: Any = serializers.PrimaryKeyRelatedField(
        source="fallback_provider",
        queryset=Provider.objects.all(),
        pk_field=serializers.IntegerField(min_value=1, max_value=LARGEST_ID),
        required=False,
        allow_null=True,
        help_text="Asked where the provider fails before it answers. null: nobody is.",
    )
    fallback_model = NullFreeCharField(
        required=False, allow_blank=True, max_length=255, help_text="Empty: its provider's default model."
    )
    parameters = ParametersField(required=False)
    mcp_tool_ids = RowsField(MCPTool.objects.present(), source="server_ids", required=False)
    tools: Any = serializers.ListSerializer(
        child=ToolUseSerializer(), source="tool_uses", required=False, max_length=MOST_SERVERS
    )
    selection = serializers.ChoiceField(
        Assistant.Selection.choices, required=False, help_text="What the model is given of its tools."
    )
    top_k = serializers.IntegerField(
        required=False,
        min_value=1,
        max_value=128,
        help_text="How many tools a selection gives the model, beside the pinned ones and those in use.",
    )
    schema_token_budget = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=2**31 - 1,
        help_text=(
            "How many tokens the definitions of selected tools take at most, the pinned ones included. "
            f"null: {SCHEMA_TOKEN_BUDGET:,}. With `search` at least {SMALLEST_SEARCH_BUDGET}."
        ),
    )
    max_rounds = serializers.IntegerField(required=False, min_value=1, max_value=50)
    learns = serializers.BooleanField(
        required=False,
        help_text=(
            "Whether a selection prefers tools that served similar requests to this assistant. "
            "Switched off, it forgets them."
        ),
    )
    store_bodies = serializers.BooleanField(required=False)
    masks_secrets = serializers.BooleanField(
        required=False,
        help_text="Whether secrets in results of tools are masked before anybody sees them, by their form.",
    )
    rendering = serializers.ChoiceField(
        Assistant.Rendering.choices,
        required=False,
        help_text="Where callers are shown the calls of its tools, unless a request says otherwise.",
    )
    is_enabled = serializers.BooleanField(required=False)
    api_key_ids = RowsField(ApiKey.objects.all(), source="key_ids", required=False)
    created_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Returns the arguments of the verbs: `tools` and `api_keys` instead of ids."""
        servers, uses = attrs.pop("server_ids", None), attrs.pop("tool_uses", None)
        if uses is not None:
            uses = _tool_uses(uses)
            _require_same(servers, uses)
        tools = servers if uses is None else uses
        related = {
            "aliases": attrs.pop("alias_names", None),
            "tools": tools,
            "api_keys": attrs.pop("key_ids", None),
        }
        return attrs | {name: rows for name, rows in related.items() if rows is not None}


def _tool_uses(uses: list[dict[str, Any]]) -> list[ToolUse]:
    ids = [use["mcp_tool_id"] for use in uses]
    servers = MCPTool.objects.present().in_bulk(ids)
    if missing := sorted({*ids} - servers.keys()):
        raise serializers.ValidationError({"tools": f"There is no {', '.join(map(str, missing))}."})
    return [ToolUse(servers[use["mcp_tool_id"]], use["functions"], tuple(use["pinned"])) for use in uses]


def _require_same(servers: Iterable[MCPTool] | None, uses: list[ToolUse]) -> None:
    if servers is not None and set(servers) != {use.server for use in uses}:
        message = "Names other servers than `tools`: give one of the two."
        raise serializers.ValidationError({"mcp_tool_ids": message})


class CopySerializer(StrictSerializer):
    name = NullFreeCharField(required=False, max_length=255)
    slug = NullFreeCharField(required=False, max_length=63)


class AssistantFilter(django_filters.FilterSet):
    search = django_filters.CharFilter(method="filter_search", help_text="In name, slug and description.")
    provider_id = IdFilter(field_name="provider")
    mcp_tool_id = IdFilter(field_name="tools")
    api_key_id = IdFilter(field_name="api_keys")

    class Meta:
        model = Assistant
        fields = ["is_enabled"]

    def filter_search(self, rows: Any, name: str, value: str) -> Any:
        return rows.matching(value)


class AssistantViewSet(ManagementViewSet):
    """Assistants, also found by their slug."""

    queryset = Assistant.objects.without_vectors().with_related()
    serializer_class = AssistantSerializer
    filterset_class = AssistantFilter
    slug_field = "slug"
    lookup_value_regex = "[a-z0-9-]{1,63}"

    def perform_create(self, validated: dict[str, Any]) -> Assistant:
        return self._read(actions.create(by=self.actor, **validated))

    def perform_update(self, row: Assistant, validated: dict[str, Any]) -> Assistant:
        return actions.update(row, by=self.actor, is_locked=True, **validated)

    def shown(self, row: Assistant, validated: Mapping[str, Any]) -> Assistant:
        return self._read(row) if validated.keys() & _RELATED else row

    def perform_destroy(self, row: Assistant) -> None:
        actions.delete(row, by=self.actor)

    @extend_schema(request=CopySerializer, responses={201: AssistantSerializer})
    @action(detail=True, methods=["post"])
    def duplicate(self, request: Request, pk: str) -> Response:
        """Copy the assistant, tools included. Nobody may call the copy until it is granted to keys."""
        asked = CopySerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        copy = actions.duplicate(self.get_object(), by=self.actor, **asked.validated_data)
        return self.answer(self._read(copy), status=201)

    def _read(self, row: Assistant) -> Assistant:
        read: Assistant = self.get_queryset().get(pk=row.pk)
        return read
