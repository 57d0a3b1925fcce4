"""/api/v1/webhooks, and what was delivered to each."""

from typing import Any

import django_filters
from django.db import models, transaction
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apikeys.models import EventType
from assistants import actions
from assistants.models import Delivery, DeliveryState, Webhook
from assistants.models.webhooks import LONGEST_URL
from core.actor import Actor
from core.api.filters import LARGEST_ID
from core.api.pagination import HeaderPagination
from core.api.serializers import NullFreeCharField, StrictSerializer
from core.api.viewsets import ManagementViewSet, found

_WEBHOOK = OpenApiParameter(
    "pk", {"type": "integer", "minimum": 1, "maximum": LARGEST_ID}, OpenApiParameter.PATH
)


class AddressField(NullFreeCharField):
    """An address, whose parts that look secret are masked in answers."""

    def to_representation(self, value: Any) -> Any:
        return Webhook.url_field().masked(value)


class WebhookSerializer(StrictSerializer):
    """What looks secret in the address is masked; the masked address sent back leaves it as it was."""

    id = serializers.IntegerField(read_only=True)
    version = serializers.IntegerField(read_only=True)
    name = NullFreeCharField(max_length=255)
    url = AddressField(max_length=LONGEST_URL)
    events = serializers.ListField(
        child=serializers.ChoiceField(EventType.choices), allow_empty=False, max_length=len(EventType)
    )
    is_enabled = serializers.BooleanField(required=False)
    created_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)


class NewWebhookSerializer(WebhookSerializer):
    secret = serializers.CharField(read_only=True, help_text="It signs what is sent. It is not shown again.")


class WebhookFilter(django_filters.FilterSet):
    search = django_filters.CharFilter(field_name="name", lookup_expr="icontains")

    class Meta:
        model = Webhook
        fields = ["is_enabled"]


class WebhookViewSet(ManagementViewSet):
    """Addresses that are told about events, signed by Standard Webhooks."""

    queryset = Webhook.objects.all()
    serializer_class = WebhookSerializer
    filterset_class = WebhookFilter

    @extend_schema(responses={201: NewWebhookSerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        webhook = actions.add_webhook(by=self.actor, **self._validated(None))
        return self.answer(webhook, status=201, secret=webhook.secret)

    def perform_update(self, row: Webhook, validated: dict[str, Any]) -> object:
        return actions.update_webhook(row, by=self.actor, **validated)

    def perform_destroy(self, row: Webhook) -> object:
        return actions.delete_webhook(row, by=self.actor)

    @extend_schema(request=None, responses=NewWebhookSerializer)
    @action(detail=True, methods=["post"])
    def rotate(self, request: Request, pk: str) -> Response:
        """Give it a new secret. For a day what is sent is signed by the old one, too."""
        with transaction.atomic():
            secret = actions.rotate_webhook_secret(self._locked(), by=self.actor).secret
        return self.answer(self.get_object(), secret=secret)


class DeliverySerializer(serializers.ModelSerializer[Delivery]):
    """`webhook_id` is the header `webhook-id`, the same at each attempt."""

    webhook_id = serializers.CharField(source="event.message_id", read_only=True)
    type = serializers.ChoiceField(EventType.choices, source="event.type", read_only=True)
    data = serializers.DictField(source="event.data", read_only=True)  # type: ignore[assignment]
    state = serializers.ChoiceField(DeliveryState.choices, read_only=True)
    error = serializers.CharField(read_only=True)

    class Meta:
        model = Delivery
        fields = [
            "id", "webhook_id", "type", "data", "state", "attempts", "status_code", "error",
            "next_attempt_at", "last_attempt_at", "created_at",
        ]  # fmt: skip


class DeliveryFilter(django_filters.FilterSet):
    type = django_filters.ChoiceFilter(field_name="event__type", choices=EventType.choices)

    class Meta:
        model = Delivery
        fields = ["state"]


@extend_schema(parameters=[_WEBHOOK])
class DeliveryViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[Delivery]):
    """What a webhook was told, or could not be, the latest first."""

    queryset = Delivery.objects.select_related("event")
    serializer_class = DeliverySerializer
    filterset_class = DeliveryFilter
    pagination_class = HeaderPagination

    def get_queryset(self) -> models.QuerySet[Delivery]:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset.none()
        webhook = found(Webhook.objects.only("pk"), self.kwargs["pk"], slug_field=None)
        return self.queryset.filter(webhook=webhook)

    @extend_schema(request=None, responses={202: DeliverySerializer})
    def resend(self, request: Request, pk: str, delivery: int) -> Response:
        """Send it once more, under the same `webhook-id`."""
        row = get_object_or_404(self.get_queryset(), pk=delivery)
        sent = actions.resend_delivery(row, by=Actor.of(request))
        return Response(self.get_serializer(sent).data, status=202)
