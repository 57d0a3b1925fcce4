"""/api/v1/usage"""

from datetime import timedelta
from typing import Any, cast

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from assistants.api.runs import RunFilter
from assistants.models import Run, RunKind
from assistants.models.runs import USAGE_DAYS, USAGE_GROUPS, RunQuerySet, usage_groups
from core.api.pagination import HeaderPagination

GROUP_BY = OpenApiParameter(
    "group_by",
    str,
    default="day",
    pattern=f"^({'|'.join(USAGE_GROUPS)})(,({'|'.join(USAGE_GROUPS)}))*$",
    description=f"Any of {', '.join(USAGE_GROUPS)}, separated by commas. Days are those of UTC.",
)


class UsageKeySerializer(serializers.Serializer[Any]):
    """The key by its present name. Of a deleted key, the last known name and null as the id."""

    id = serializers.IntegerField(source="api_key_id", allow_null=True)
    name = serializers.CharField(source="current_name")
    key_prefix = serializers.CharField(source="current_prefix")


class UsageAssistantSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField(source="assistant_id", allow_null=True)
    slug = serializers.CharField(source="current_slug")


class UsageRowSerializer(serializers.Serializer[Any]):
    """The fields up to `day` are present if the usage is grouped by them."""

    api_key = UsageKeySerializer(source="*", required=False)
    assistant = UsageAssistantSerializer(source="*", required=False)
    model = serializers.CharField(required=False)
    kind = serializers.ChoiceField(RunKind.choices, required=False)
    end_user = serializers.CharField(required=False)
    day = serializers.DateField(required=False)
    runs = serializers.IntegerField()
    failed_runs = serializers.IntegerField()
    prompt_tokens = serializers.IntegerField()
    completion_tokens = serializers.IntegerField()
    total_tokens = serializers.IntegerField()
    server_tool_calls = serializers.IntegerField()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if groups := self.context.get("groups"):
            for name in USAGE_GROUPS.keys() - groups:
                del self.fields[name]


class UsageView(generics.ListAPIView[Run]):
    queryset = Run.objects.all()
    serializer_class = UsageRowSerializer
    filterset_class = RunFilter
    pagination_class = HeaderPagination

    @extend_schema(parameters=[GROUP_BY])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The usage of runs, summed by group: of the latest 30 days unless `since` is given."""
        return super().get(request, *args, **kwargs)

    def filter_queryset(self, queryset: Any) -> Any:
        rows = cast(RunQuerySet, super().filter_queryset(queryset))
        if "since" not in self.request.query_params:
            rows = rows.since(timezone.now() - timedelta(days=USAGE_DAYS))
        return rows.usage(self._groups())

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "groups": self._groups()}

    def _groups(self) -> list[str]:
        try:
            return usage_groups(self.request.query_params.get("group_by", "day"))
        except ValueError as unknown:
            raise ValidationError({"group_by": [str(unknown)]}) from None
