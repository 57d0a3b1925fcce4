"""/api/v1/api-keys"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import django_filters
from django.db import transaction
from django.db.models import prefetch_related_objects
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apikeys import actions
from apikeys.models import LONGEST_NETWORK, MOST_TOKENS, ApiKey, granted
from core.api.serializers import NullFreeCharField, StrictSerializer
from core.api.viewsets import ManagementViewSet


class PermissionsSerializer(StrictSerializer):
    can_manage = serializers.BooleanField(required=False)
    can_call_assistant = serializers.BooleanField(required=False)
    can_approve = serializers.BooleanField(
        read_only=True, help_text="May decide about calls that wait. Only managers set it, in the console."
    )
    is_disabled = serializers.BooleanField(required=False)

    def to_internal_value(self, data: Any) -> Any:
        self._require_same(data)
        return super().to_internal_value(data)

    def _require_same(self, data: Any) -> None:
        """Refuses another value, rather than to ignore it. What was read may be sent back."""
        present = getattr(self.root.instance, "can_approve", False)
        if isinstance(data, Mapping) and data.get("can_approve", present) != present:
            message = "Only a signed-in manager sets this, in the console."
            raise serializers.ValidationError({"can_approve": [message]})


class LimitsSerializer(StrictSerializer):
    requests_per_minute = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=2**31 - 1
    )
    tokens_per_minute = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=2**31 - 1
    )
    concurrent_requests = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=2**31 - 1
    )
    tokens_per_month = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=MOST_TOKENS
    )


class ApiKeySerializer(StrictSerializer):
    """`permissions` and `limits` are merged into what is there, not replaced."""

    id = serializers.IntegerField(read_only=True)
    version = serializers.IntegerField(read_only=True)
    name = NullFreeCharField(max_length=255)
    key_prefix = serializers.CharField(read_only=True)
    permissions = PermissionsSerializer(source="*", required=False)
    assistant_ids = serializers.ListField(child=serializers.IntegerField(min_value=1), required=False)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)
    last_used_at = serializers.DateTimeField(read_only=True, allow_null=True)
    limits = LimitsSerializer(source="*", required=False)
    allowed_networks = serializers.ListField(
        child=NullFreeCharField(max_length=LONGEST_NETWORK), required=False
    )
    created_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)


class IssuedKeySerializer(ApiKeySerializer):
    key = serializers.CharField(read_only=True, help_text="The whole key. It is not shown again.")


class RotationSerializer(StrictSerializer):
    grace_seconds = serializers.IntegerField(
        default=24 * 3600,
        min_value=0,
        max_value=int(actions.LONGEST_GRACE.total_seconds()),
        help_text="For how long the old key works beside the new one.",
    )


class ApiKeyFilter(django_filters.FilterSet):
    search = django_filters.CharFilter(field_name="name", lookup_expr="icontains")

    class Meta:
        model = ApiKey
        fields = ["can_manage", "can_call_assistant", "is_disabled"]


class ApiKeyViewSet(ManagementViewSet):
    queryset = ApiKey.objects.with_assistant_ids()
    serializer_class = ApiKeySerializer
    filterset_class = ApiKeyFilter

    @extend_schema(responses={201: IssuedKeySerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        issued = actions.issue(by=self.actor, **self._validated(None))
        return self.answer(issued.api_key, status=201, key=issued.key)

    def perform_update(self, row: ApiKey, validated: dict[str, Any]) -> object:
        return actions.update(row, by=self.actor, is_locked=True, **validated)

    def shown(self, row: ApiKey, validated: Mapping[str, Any]) -> ApiKey:
        prefetch_related_objects([row], granted())
        return row

    def perform_destroy(self, row: ApiKey) -> object:
        return actions.delete(row, by=self.actor)

    @extend_schema(request=RotationSerializer, responses=IssuedKeySerializer)
    @action(detail=True, methods=["post"])
    def rotate(self, request: Request, pk: str) -> Response:
        """Give the key a new secret. The old one works on until the grace period ends."""
        rotation = RotationSerializer(data=request.data)
        rotation.is_valid(raise_exception=True)
        grace = timedelta(seconds=rotation.validated_data["grace_seconds"])
        with transaction.atomic():
            issued = actions.rotate(self._locked(), by=self.actor, grace=grace)
        return self.answer(issued.api_key, key=issued.key)
