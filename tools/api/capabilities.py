"""/api/v1/mcp-tools/{id}/resources and /prompts: a server's capabilities besides tools, as last observed."""

from typing import Any

from django.db import models
from rest_framework import mixins, serializers, viewsets

from core.api.viewsets import found
from tools.models import MCPTool, Offer


class ResourceSerializer(serializers.Serializer[Any]):
    """`uri` is a template (RFC 6570) where `is_template` is true."""

    uri = serializers.CharField(source="identity")
    is_template = serializers.SerializerMethodField()
    name = serializers.CharField(source="definition.name")
    title = serializers.CharField(source="definition.title", default="")
    description = serializers.CharField(source="definition.description", default="")
    mime_type = serializers.CharField(source="definition.mimeType", default="")
    size = serializers.IntegerField(source="definition.size", default=None, allow_null=True)

    def get_is_template(self, capability: Offer) -> bool:
        return capability.kind == Offer.Kind.TEMPLATE


class PromptArgumentSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    description = serializers.CharField(default="")

    def get_fields(self) -> dict[str, Any]:
        return {**super().get_fields(), "required": serializers.BooleanField(default=False)}


class PromptSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(source="identity")
    title = serializers.CharField(source="definition.title", default="")
    description = serializers.CharField(source="definition.description", default="")
    arguments = PromptArgumentSerializer(source="definition.arguments", many=True, default=list)


class _CapabilityViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[Offer]):
    queryset = Offer.objects.all()
    filter_backends = []

    def get_queryset(self) -> models.QuerySet[Offer]:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset.none()
        # Only the id: a whole row would have its secrets decrypted for nothing.
        server = found(MCPTool.objects.present().only("pk"), self.kwargs["pk"], slug_field="slug")
        return self.queryset.filter(server=server).order_by("identity")


class ResourceViewSet(_CapabilityViewSet):
    """The resources that a server offers, and the templates of more."""

    queryset = Offer.objects.filter(kind__in=[Offer.Kind.RESOURCE, Offer.Kind.TEMPLATE])
    serializer_class = ResourceSerializer


class PromptViewSet(_CapabilityViewSet):
    """The prompts that a server offers."""

    queryset = Offer.objects.filter(kind=Offer.Kind.PROMPT)
    serializer_class = PromptSerializer
