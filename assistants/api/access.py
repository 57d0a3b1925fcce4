"""/api/v1/api-keys/{id}/access and /api/v1/me: in this app, since `apikeys` does not know assistants."""

from typing import Any

from django.db.models import Prefetch
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apikeys.api.api_keys import LimitsSerializer, PermissionsSerializer
from apikeys.models import ApiKey
from assistants import access
from assistants.access import Reason
from assistants.models import Assistant
from core.actor import Actor
from core.api.pagination import HeaderPagination


class NamedSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    slug = serializers.CharField()
    name = serializers.CharField()


class ReachSerializer(serializers.Serializer[Any]):
    is_reachable = serializers.SerializerMethodField()
    reasons = serializers.ListField(
        child=serializers.ChoiceField(Reason.choices),
        help_text="Codes that say why the key cannot use it; empty if it can.",
    )

    def get_is_reachable(self, reach: Any) -> bool:
        return not reach.reasons


class FunctionAccessSerializer(ReachSerializer):
    name = serializers.CharField()
    public_name = serializers.CharField()


class ServerAccessSerializer(ReachSerializer):
    mcp_tool = NamedSerializer(source="server")
    functions = FunctionAccessSerializer(many=True)


class AssistantAccessSerializer(ReachSerializer):
    assistant = NamedSerializer()
    tools = ServerAccessSerializer(source="servers", many=True)


class AccessView(generics.ListAPIView[Assistant]):
    queryset = access.assistants()
    serializer_class = AssistantAccessSerializer
    pagination_class = HeaderPagination
    filter_backends = []

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Each assistant and its tools: whether the key reaches them, and if not, why."""
        api_key = generics.get_object_or_404(ApiKey, pk=kwargs["pk"])
        page = self.paginate_queryset(self.get_queryset()) or []
        reaches = [access.to_assistant(api_key, assistant) for assistant in page]
        return self.get_paginated_response(self.get_serializer(reaches, many=True).data)


class MeSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()
    key_prefix = serializers.CharField()
    permissions = PermissionsSerializer(source="*")
    limits = LimitsSerializer(source="*")
    expires_at = serializers.DateTimeField(allow_null=True)
    assistants = NamedSerializer(many=True)


class MeView(APIView):
    permission_classes = [IsAuthenticated]

    @extend_schema(responses=MeSerializer)
    def get(self, request: Request) -> Response:
        """The key that asks: what it may, and the assistants that it may call."""
        granted = Prefetch("assistants", Assistant.objects.filter(is_enabled=True).order_by("slug"))
        api_key = ApiKey.objects.prefetch_related(granted).get(pk=Actor.of(request).id or 0)
        return Response(MeSerializer(api_key).data)
