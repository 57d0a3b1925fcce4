"""/api/v1/mcp-tools/search: in this app, since a search can be narrowed to the tools of an assistant."""

from typing import Any

from asgiref.sync import async_to_sync
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from assistants.models import Assistant
from assistants.selection.scopes import scope_of
from core.api.serializers import NullFreeCharField
from core.api.viewsets import found
from tools.search import EVERYTHING, Scope, search

MOST_HITS = 100


class SearchSerializer(serializers.Serializer[Any]):
    q = serializers.CharField(help_text="What a tool is wanted for. The first 8,000 characters count.")
    assistant = NullFreeCharField(
        required=False, max_length=255, help_text="Id or slug: search only what it may use."
    )
    limit = serializers.IntegerField(required=False, default=10, min_value=1, max_value=MOST_HITS)


class WhySerializer(serializers.Serializer[Any]):
    """The parts of a score: how alike the meaning is, how alike the words, and what its uses add."""

    dense = serializers.FloatField()
    words = serializers.FloatField(source="lexical")
    boost = serializers.FloatField()


class HitSerializer(serializers.Serializer[Any]):
    public_name = serializers.CharField()
    server = serializers.CharField()
    server_slug = serializers.CharField()
    mcp_tool_id = serializers.IntegerField(source="server_id")
    function = serializers.CharField()
    description = serializers.CharField()
    score = serializers.FloatField()
    why = WhySerializer()


def _header(name: str, description: str) -> OpenApiParameter:
    return OpenApiParameter(
        name, OpenApiTypes.STR, OpenApiParameter.HEADER, response=True, description=description
    )


class ToolSearchView(APIView):
    @extend_schema(
        parameters=[
            SearchSerializer,
            _header("X-Search-Embedder", "Whose vectors counted; without it, words alone did."),
            _header("X-Search-Degraded", "Why words alone counted, for all tools or for some."),
        ],
        responses=HitSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """The functions that a model may be given and that answer a request, best first."""
        asked = SearchSerializer(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        scope = _scope(asked.validated_data.get("assistant"))
        result = async_to_sync(search)(asked.validated_data["q"], scope, limit=asked.validated_data["limit"])
        headers = {"X-Search-Embedder": result.embedder, "X-Search-Degraded": result.degraded}
        sent = {name: value.encode("ascii", "replace").decode() for name, value in headers.items() if value}
        return Response(HitSerializer(result.hits, many=True).data, headers=sent)


def _scope(assistant: str | None) -> Scope:
    if assistant is None:
        return EVERYTHING
    return scope_of(found(Assistant.objects.all(), assistant, slug_field="slug"))
