"""/api/v1/mcp-tools/{id}/functions: the tools of a server, by their own names."""

from typing import Any, NoReturn

from django.db import models
from django.shortcuts import get_object_or_404
from rest_framework.exceptions import MethodNotAllowed

from core.api.viewsets import ManagementViewSet, found
from tools.api.serializers import FunctionSerializer
from tools.functions import actions
from tools.models import MCPTool, ToolFunction


class FunctionViewSet(ManagementViewSet):
    """The tools that a server offers, by their own names."""

    queryset = ToolFunction.objects.present().without_vectors()
    serializer_class = FunctionSerializer
    filterset_fields = ["is_enabled"]

    def get_queryset(self) -> models.QuerySet[ToolFunction]:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset.none()
        # Only the id: a whole row would have its secrets decrypted for nothing.
        server = found(MCPTool.objects.present().only("pk"), self.kwargs["pk"], slug_field="slug")
        return self.queryset.filter(server=server).order_by("name")

    def _found(self, rows: models.QuerySet[ToolFunction]) -> ToolFunction:
        return get_object_or_404(rows, name=self.kwargs["name"].replace("\0", "\ufffd"))

    def perform_create(self, validated: dict[str, Any]) -> NoReturn:
        raise MethodNotAllowed("POST")

    def perform_update(self, row: ToolFunction, validated: dict[str, Any]) -> object:
        approve = validated.pop("approval", None) is not None
        return actions.update(row, by=self.actor, approve=approve, **validated)

    def perform_destroy(self, row: ToolFunction) -> NoReturn:
        raise MethodNotAllowed("DELETE")
