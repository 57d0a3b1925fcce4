"""/api/v1/sessions"""

from typing import Any

import django_filters
from django.db import transaction
from django.db.models import Count, Sum
from django.db.models.functions import Coalesce
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from assistants import actions
from assistants.conversations import stored_history
from assistants.models import Conversation
from core.actor import Actor
from core.api.filters import IdFilter, TimeFilter
from core.api.pagination import HeaderPagination


class SessionSerializer(serializers.Serializer[Any]):
    """`session_id` is the caller's own name for it. Another key's session of that name is another session."""

    id = serializers.IntegerField()
    session_id = serializers.CharField(source="external_id")
    api_key_id = serializers.IntegerField()
    assistant_id = serializers.IntegerField(allow_null=True, help_text="Of the latest run.")
    run_count = serializers.IntegerField()
    total_tokens = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    last_run_at = serializers.DateTimeField()


class SessionMessagesSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    messages = serializers.ListField(child=serializers.DictField(), help_text="OpenAI chat messages.")


class SessionFilter(django_filters.FilterSet):
    session_id = django_filters.CharFilter(field_name="external_id")
    api_key_id = IdFilter(field_name="api_key_id")
    assistant_id = IdFilter(field_name="assistant_id")
    since = TimeFilter(field_name="last_run_at", lookup_expr="gte")

    class Meta:
        model = Conversation
        fields: list[str] = []


class SessionViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Conversation]):
    """Runs that a caller grouped by a session id, the latest first. GET /runs lists those of one."""

    # Without the messages, which would be decrypted for every row of a list.
    queryset = Conversation.objects.defer("messages").annotate(
        run_count=Count("runs"),
        total_tokens=Coalesce(Sum("runs__prompt_tokens") + Sum("runs__completion_tokens"), 0),
    )
    serializer_class = SessionSerializer
    filterset_class = SessionFilter
    pagination_class = HeaderPagination
    lookup_value_regex = "[0-9]{1,18}"

    @extend_schema(responses=SessionMessagesSerializer)
    @action(detail=True)
    def messages(self, request: Request, pk: str) -> Response:
        """The stored messages of the session, if its caller asked for a stored history."""
        session = self.get_object()
        messages = stored_history.unexpired_messages(session)
        return Response(SessionMessagesSerializer({"id": session.pk, "messages": messages}).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete the session and the texts of its runs. The runs remain in the usage."""
        with transaction.atomic():
            actions.delete_conversation(self.get_object(), by=Actor.of(request))
        return Response(status=204)
