"""/api/v1/audit"""

import django_filters
from drf_spectacular.utils import extend_schema_field
from rest_framework import mixins, serializers, viewsets

from apikeys.models import AuditEntry
from core.api.filters import IdFilter, TimeFilter
from core.api.pagination import HeaderPagination


@extend_schema_field({"type": ["object", "null"], "additionalProperties": True})
class FieldsField(serializers.JSONField):
    """Fields of a row, by name."""


class AuditEntrySerializer(serializers.ModelSerializer[AuditEntry]):
    """`before` and `after` hold the fields that differ, secrets masked; null where nothing was or is."""

    before = FieldsField(allow_null=True)
    after = FieldsField(allow_null=True)

    class Meta:
        model = AuditEntry
        fields = [
            "id", "at", "actor_kind", "actor_id", "actor_name", "action",
            "object_kind", "object_id", "object_name", "before", "after", "request_id", "address",
        ]  # fmt: skip


class AuditFilter(django_filters.FilterSet):
    object_kind = django_filters.CharFilter(
        lookup_expr="iexact", help_text="API key, assistant, MCP tool and so on, whatever the case."
    )
    object_id = IdFilter()
    actor = django_filters.CharFilter(
        field_name="actor_name", lookup_expr="iexact", help_text="The name of an API key or of staff."
    )
    since = TimeFilter(field_name="at", lookup_expr="gte", help_text="A time in ISO 8601.")

    class Meta:
        model = AuditEntry
        fields: list[str] = []


class AuditViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[AuditEntry]):
    """Changes and who made them, newest first."""

    queryset = AuditEntry.objects.all()
    serializer_class = AuditEntrySerializer
    filterset_class = AuditFilter
    pagination_class = HeaderPagination
