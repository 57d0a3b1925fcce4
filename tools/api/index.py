"""/api/v1/mcp-tools/index: progress of the index of tools."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tools.search import index


class IndexSerializer(serializers.Serializer[Any]):
    functions = serializers.IntegerField(help_text="That servers offer now.")
    indexed = serializers.IntegerField(help_text="Those found by their words as they are now.")
    embedded = serializers.IntegerField(help_text="Those found by their meaning as well.")
    embedder = serializers.CharField(allow_blank=True)
    degraded = serializers.CharField(allow_blank=True, help_text="Why not all are embedded.")


class IndexView(APIView):
    @extend_schema(responses=IndexSerializer)
    def get(self, request: Request) -> Response:
        """The progress of the index of tools. It follows every change by itself, within seconds."""
        return Response(IndexSerializer(index.progress()).data)
