"""/api/v1/providers"""

import time
from typing import Any

import django_filters
from asgiref.sync import async_to_sync
from django.conf import settings
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from assistants import actions
from assistants.agent.ask import probe
from assistants.api.fields import SecretField
from assistants.catalogue.endpoints import endpoint
from assistants.errors import UpstreamFailed
from assistants.models import Provider
from assistants.validation import LONGEST_KEY
from core.api.serializers import NullFreeCharField, StrictSerializer
from core.api.viewsets import ManagementViewSet

ENVIRONMENT = "environment"
LONGEST_SHOWN = 200

FORCE = OpenApiParameter(
    "force", bool, description="Also where assistants use it: they get the provider of the environment."
)


class ProviderSerializer(StrictSerializer):
    """The key is shown as a mask; the mask sent back leaves it as it was."""

    id = serializers.IntegerField(read_only=True, allow_null=True, help_text="null: the environment's.")
    version = serializers.IntegerField(read_only=True)
    name = NullFreeCharField(max_length=255)
    kind = serializers.ChoiceField(Provider.Kind.choices, required=False)
    base_url = NullFreeCharField(
        required=False, allow_blank=True, max_length=2048, help_text="Empty: OpenAI itself."
    )
    api_key = SecretField(required=False, allow_blank=True, max_length=LONGEST_KEY)
    default_model = NullFreeCharField(max_length=255)
    fetch_images = serializers.BooleanField(
        required=False,
        help_text="Images that callers name by address are fetched for a service that takes bytes alone.",
    )
    created_at = serializers.DateTimeField(read_only=True, allow_null=True)
    updated_at = serializers.DateTimeField(read_only=True, allow_null=True)


class DeletionSerializer(serializers.Serializer[Any]):
    force = serializers.BooleanField(default=False)


class TestedModelSerializer(StrictSerializer):
    model = NullFreeCharField(required=False, max_length=255, help_text="Another than the default model.")


class ProviderErrorSerializer(StrictSerializer):
    code = serializers.CharField()
    message = serializers.CharField()


class ProviderTestSerializer(StrictSerializer):
    ok = serializers.BooleanField()
    model = serializers.CharField()
    duration_ms = serializers.IntegerField()
    answer = serializers.CharField(required=False)
    error = ProviderErrorSerializer(required=False)


class ProviderFilter(django_filters.FilterSet):
    search = django_filters.CharFilter(field_name="name", lookup_expr="icontains")

    class Meta:
        model = Provider
        fields: list[str] = []


@extend_schema_view(destroy=extend_schema(parameters=[FORCE]))
class ProviderViewSet(ManagementViewSet):
    """LLM services. The one of the environment is found as `environment`, with the id null."""

    queryset = Provider.objects.all()
    serializer_class = ProviderSerializer
    filterset_class = ProviderFilter
    lookup_value_regex = f"[0-9]{{1,18}}|{ENVIRONMENT}"

    def get_object(self) -> Provider:
        if self.kwargs["pk"] == ENVIRONMENT:
            return of_environment()
        provider: Provider = super().get_object()
        return provider

    def perform_create(self, validated: dict[str, Any]) -> Provider:
        return actions.add_provider(by=self.actor, **validated)

    def perform_update(self, row: Provider, validated: dict[str, Any]) -> Provider:
        return actions.update_provider(row, by=self.actor, **validated)

    def perform_destroy(self, row: Provider) -> None:
        asked = DeletionSerializer(data=self.request.query_params)
        asked.is_valid(raise_exception=True)
        actions.delete_provider(row, by=self.actor, **asked.validated_data)

    @extend_schema(request=TestedModelSerializer, responses=ProviderTestSerializer)
    @action(detail=True, methods=["post"])
    def test(self, request: Request, pk: str) -> Response:
        """Ask the service a small question, as a chat would. `ok` says whether it answered."""
        asked = TestedModelSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        target = endpoint(self.get_object(), asked.validated_data.get("model", ""))
        started = time.monotonic()
        try:
            outcome: dict[str, Any] = {"ok": True, "answer": async_to_sync(probe)(target)[:LONGEST_SHOWN]}
        except UpstreamFailed as failure:
            outcome = {"ok": False, "error": {"code": failure.code, "message": str(failure.detail)}}
        duration_ms = round((time.monotonic() - started) * 1000)
        return Response({"model": target.model, "duration_ms": duration_ms, **outcome})


def of_environment() -> Provider:
    """Returns the provider of the settings, which assistants without a provider use. It is never saved."""
    return Provider(
        name=ENVIRONMENT,
        base_url=settings.OPENAI_BASE_URL,
        api_key=settings.OPENAI_API_KEY,
        default_model=settings.OPENAI_MODEL,
        fetch_images=settings.OPENAI_FETCH_IMAGES,
    )
