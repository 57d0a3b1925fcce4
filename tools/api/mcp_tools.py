"""/api/v1/mcp-tools: registered servers."""

from collections.abc import Callable, Mapping
from typing import Any

import django_filters
from django.db import models, transaction
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from core.api.viewsets import ManagementViewSet
from tools import actions, importing
from tools.api.imports import (
    ExportSerializer,
    FileParser,
    ImportedSerializer,
    ImportOptionsSerializer,
    ImportSerializer,
    status_of,
)
from tools.api.serializers import MCPToolSerializer
from tools.importing import Document
from tools.models import ConnectionType, MCPTool, Status

_RUN_COMMAND = extend_schema(request=None, responses={202: MCPToolSerializer})
_RESULTS = ImportedSerializer(many=True)
_UPDATE = OpenApiParameter("update", bool, description="Change servers that are registered and differ.")
_IMPORT = extend_schema(
    request=ImportSerializer,
    parameters=[_UPDATE],
    responses={200: _RESULTS, 201: _RESULTS, 207: _RESULTS},
    filters=False,
)
_PREVIEW = extend_schema(
    request=ImportSerializer, parameters=[_UPDATE], responses={200: _RESULTS}, filters=False
)
_OF_FILES: dict[str, Any] = {"pagination_class": None, "parser_classes": [FileParser]}


class MCPToolFilter(django_filters.FilterSet):
    search = django_filters.CharFilter(method="_search", label="In name, slug and description.")
    status = django_filters.ChoiceFilter(choices=Status.choices)
    connection_type = django_filters.ChoiceFilter(choices=ConnectionType.choices)

    class Meta:
        model = MCPTool
        fields = ["is_enabled"]

    def _search(self, rows: models.QuerySet[MCPTool], name: str, text: str) -> models.QuerySet[MCPTool]:
        found = (models.Q(**{f"{field}__icontains": text}) for field in ("name", "slug", "description"))
        return rows.filter(next(found) | next(found) | next(found))


class DeletionSerializer(serializers.Serializer[Any]):
    force = serializers.BooleanField(default=False)


class MCPToolViewSet(ManagementViewSet):
    queryset = MCPTool.objects.present().without_vectors().with_function_count().with_refused_tools()
    serializer_class = MCPToolSerializer
    filterset_class = MCPToolFilter
    slug_field = "slug"

    def perform_create(self, validated: dict[str, Any]) -> MCPTool:
        return self._read(actions.register(by=self.actor, **validated))

    def perform_update(self, row: MCPTool, validated: dict[str, Any]) -> object:
        return actions.update(row, by=self.actor, is_locked=True, **validated)

    def shown(self, row: MCPTool, validated: Mapping[str, Any]) -> MCPTool:
        return row  # it was read with all that is shown, and no change of a server changes its tools

    @extend_schema(parameters=[OpenApiParameter("force", bool, description="Take it away from assistants.")])
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().destroy(request, *args, **kwargs)

    def perform_destroy(self, row: MCPTool) -> object:
        asked = DeletionSerializer(data=self.request.query_params)
        asked.is_valid(raise_exception=True)
        return actions.delete(row, by=self.actor, force=asked.validated_data["force"])

    @_RUN_COMMAND
    @action(detail=True, methods=["post"])
    def start(self, request: Request, pk: str) -> Response:
        """Have it run. A server that already runs is started anew."""
        return self._command(actions.start)

    @_RUN_COMMAND
    @action(detail=True, methods=["post"])
    def stop(self, request: Request, pk: str) -> Response:
        return self._command(actions.stop)

    @_RUN_COMMAND
    @action(detail=True, methods=["post"])
    def restart(self, request: Request, pk: str) -> Response:
        """Start it anew, if it should run at all."""
        return self._command(actions.restart)

    @_IMPORT
    @action(detail=False, methods=["post"], url_path="import", url_name="import", **_OF_FILES)
    def import_(self, request: Request) -> Response:
        """Register the servers in the file of an MCP client, each by itself.

        Values that look secret are stored encrypted, and reported. A server with a placeholder for a secret
        (`${input:token}`, `<your key>`) is registered as stopped, and what is missing is reported. 207: some
        were refused, and their `errors` say why; 422: all were. A server that is registered already is left
        alone where nothing differs; else it is a conflict, or changed with `update`.
        """
        imported = importing.apply(self._file(request), by=self.actor, **self._import_options(request))
        return Response(ImportedSerializer(imported, many=True).data, status=status_of(imported))

    @_PREVIEW
    @action(detail=False, methods=["post"], url_path="import/preview", url_name="import-preview", **_OF_FILES)
    def preview(self, request: Request) -> Response:
        """Tell what an import of the file would do now, server by server. Nothing is written."""
        imported = importing.preview(self._file(request), by=self.actor, **self._import_options(request))
        return Response(ImportedSerializer(imported, many=True).data)

    def _file(self, request: Request) -> Document:
        sent = ImportSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        file: Document = sent.validated_data
        return file

    def _import_options(self, request: Request) -> dict[str, bool]:
        asked = ImportOptionsSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        return dict(asked.validated_data)

    @extend_schema(responses=ExportSerializer, filters=False)
    @action(detail=False, methods=["get"], pagination_class=None)
    def export(self, request: Request) -> Response:
        """Every server as `mcpServers` JSON, with placeholders for its secrets."""
        rows = MCPTool.objects.present().without_vectors().order_by("name")
        return Response({"mcpServers": {row.name: importing.exported(row) for row in rows}})

    def _command(self, verb: Callable[..., MCPTool]) -> Response:
        with transaction.atomic():
            row = verb(self._locked(), by=self.actor)
        return self.answer(self._read(row), status=202)

    def _read(self, row: MCPTool) -> MCPTool:
        return MCPTool.objects.with_function_count().with_refused_tools().get(pk=row.pk)
