"""/api/v1/runs"""

from typing import Any, get_args

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from assistants import actions
from assistants.events import Reason
from assistants.models import Run, RunKind, RunStatus, ToolCall
from core.actor import Actor
from core.api.filters import IdFilter, TimeFilter
from core.api.pagination import HeaderPagination


class CodeField(serializers.CharField):
    """The code of the error; null without an error."""

    def get_attribute(self, instance: Any) -> Any:
        return super().get_attribute(instance) or None


class RunKeySerializer(serializers.Serializer[Any]):
    """The key as it was when the run began. `id` is null once the key is deleted."""

    id = serializers.IntegerField(source="api_key_id", allow_null=True)
    name = serializers.CharField(source="api_key_name")
    key_prefix = serializers.CharField()


class RunAssistantSerializer(serializers.Serializer[Any]):
    """`id` is null once the assistant is deleted. Where a server was asked, `slug` is empty, too."""

    id = serializers.IntegerField(source="assistant_id", allow_null=True)
    slug = serializers.CharField(source="assistant_slug")


class UsageSerializer(serializers.Serializer[Any]):
    prompt_tokens = serializers.IntegerField()
    completion_tokens = serializers.IntegerField()
    total_tokens = serializers.IntegerField()
    server_tool_calls = serializers.IntegerField()


class RunSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    run_id = serializers.CharField(help_text="The `run_id` in the answer's `mcp_connector`.")
    kind = serializers.ChoiceField(
        RunKind.choices,
        help_text="A chat, or one call of a tool by an MCP client or over REST, without a model.",
    )
    request_id = serializers.CharField(help_text="The answer's header x-request-id.")
    api_key = RunKeySerializer(source="*")
    username = serializers.CharField(
        help_text="The member of staff who chatted in the console's playground; empty for a run of a key."
    )
    end_user = serializers.CharField(
        help_text="Whom the caller asked for, by its own name: X-End-User, safety_identifier or user."
    )
    assistant = RunAssistantSerializer(source="*")
    conversation_id = serializers.IntegerField(allow_null=True, help_text="Of its session.")
    model = serializers.CharField()
    status = serializers.ChoiceField(RunStatus.choices)
    rounds = serializers.IntegerField()
    usage = UsageSerializer(source="*")
    usage_estimated = serializers.BooleanField(
        help_text="The LLM service did not report all tokens: they are estimated."
    )
    started_at = serializers.DateTimeField()
    first_token_ms = serializers.IntegerField(allow_null=True)
    duration_ms = serializers.IntegerField(allow_null=True)
    error = CodeField(allow_null=True)


class TracedCallSerializer(serializers.ModelSerializer[ToolCall]):
    """`arguments` and `result` are null unless the assistant stores bodies."""

    error = CodeField(allow_null=True)
    approval = serializers.IntegerField(
        allow_null=True, help_text="The number of the approval that the call asked for."
    )

    class Meta:
        model = ToolCall
        fields = [
            "server",
            "function",
            "status",
            "started_at",
            "duration_ms",
            "error",
            "result_size",
            "approval",
            "arguments",
            "result",
        ]


class ModelRoundSerializer(serializers.Serializer[Any]):
    """One round of the model. `started_ms` counts from the begin of the run."""

    started_ms = serializers.IntegerField()
    duration_ms = serializers.IntegerField()
    prompt_tokens = serializers.IntegerField()
    completion_tokens = serializers.IntegerField()


class UnavailableSerializer(serializers.Serializer[Any]):
    """A server whose tools the model was not offered, or not all of them, and why."""

    server = serializers.CharField()
    reason = serializers.CharField()


class CandidateSerializer(serializers.Serializer[Any]):
    """`score` is null for a tool that no search scored."""

    public_name = serializers.CharField()
    reason = serializers.ChoiceField(get_args(Reason))
    score = serializers.FloatField(allow_null=True)
    chosen = serializers.BooleanField(help_text="Whether the model was given it.")


class SelectionSerializer(serializers.Serializer[Any]):
    """Over all rounds. `cutoff` is the lowest score that got in, `tokens` the most that definitions took."""

    mode = serializers.ChoiceField(["retrieved", "search"])
    embedder = serializers.CharField(allow_blank=True)
    degraded = serializers.CharField(allow_blank=True, help_text="Why it was not as good as it could be.")
    k = serializers.IntegerField()
    cutoff = serializers.FloatField(allow_null=True)
    budget = serializers.IntegerField()
    tokens = serializers.IntegerField()
    tokens_all = serializers.IntegerField(help_text="What the definitions of all its tools would take.")
    candidates = CandidateSerializer(many=True)


class TracedRunSerializer(RunSerializer):
    """`request`, what tools were searched by, and `answer`, as far as it came: null without stored bodies."""

    request = serializers.CharField(allow_null=True)
    answer = serializers.CharField(allow_null=True)
    model_rounds = ModelRoundSerializer(
        many=True,
        allow_null=True,
        help_text="In order; null while it runs, and for runs of before rounds were recorded.",
    )
    tool_calls = TracedCallSerializer(many=True)
    unavailable = UnavailableSerializer(
        many=True, allow_null=True, help_text="Null for runs of before this was recorded, and while it runs."
    )
    selection = SelectionSerializer(
        allow_null=True, help_text="Which tools the model was given; null where that were all, or none."
    )


class RunFilter(django_filters.FilterSet):
    api_key_id = IdFilter(field_name="api_key_id")
    key = django_filters.CharFilter(field_name="api_key_name", help_text="The name of an API key.")
    assistant = django_filters.CharFilter(field_name="assistant_slug", help_text="The slug of an assistant.")
    assistant_id = IdFilter(field_name="assistant_id")
    conversation_id = IdFilter(field_name="conversation_id")
    kind = django_filters.ChoiceFilter(choices=RunKind.choices)
    end_user = django_filters.CharFilter(help_text="As the caller names whom it asks for.")
    status = django_filters.ChoiceFilter(choices=RunStatus.choices)
    model = django_filters.CharFilter()
    request_id = django_filters.CharFilter()
    since = TimeFilter(field_name="started_at", lookup_expr="gte")
    until = TimeFilter(field_name="started_at", lookup_expr="lt")

    class Meta:
        model = Run
        fields: list[str] = []


class RunViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[Run]):
    """Requests to assistants and what became of them, newest first. One is also found by its run_id."""

    queryset = Run.objects.defer("request", "answer", "selection")
    serializer_class = RunSerializer
    filterset_class = RunFilter
    pagination_class = HeaderPagination
    lookup_value_regex = "[a-z0-9_]{1,64}"

    @extend_schema(responses=TracedRunSerializer)
    def retrieve(self, request: Request, pk: str) -> Response:
        """One run with its trace."""
        rows: QuerySet[Run] = self.get_queryset().defer(None).prefetch_related("tool_calls")
        return Response(TracedRunSerializer(_found(rows, pk)).data)

    @extend_schema(request=None, responses={202: RunSerializer})
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """End a run that is running, and its tool calls. Its caller gets the error `run_cancelled`."""
        run = _found(self.get_queryset(), pk)
        actions.cancel_run(run, by=Actor.of(request))
        return Response(RunSerializer(run).data, status=202)


def _found(rows: QuerySet[Run], pk: str) -> Run:
    by_id = pk.isascii() and pk.isdigit()
    return get_object_or_404(rows, **({"pk": pk} if by_id else {"run_id": pk}))
