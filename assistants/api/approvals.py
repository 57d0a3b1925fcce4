"""/api/v1/approvals"""

from collections.abc import Mapping
from typing import Any

import django_filters
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from apikeys.principal import Principal
from assistants.actions import approval_covers as covers
from assistants.actions import approvals
from assistants.api.runs import RunAssistantSerializer, RunKeySerializer
from assistants.models import Approval, ApprovalState, Approver
from connector.api.errors import unfitting
from core.actor import Actor
from core.api.filters import IdFilter
from core.api.pagination import HeaderPagination
from core.api.serializers import NullFreeCharField, StrictSerializer
from core.api.viewsets import found
from tools.arguments import InvalidArguments

REVEAL = OpenApiParameter(
    "reveal", bool, description="Whether what looks like a secret is shown. Only deciders may; it is audited."
)


class ReadingRequired(PermissionDenied):
    """403: the key has neither of the permissions."""

    default_code = "management_required"
    default_detail = (
        "This API key may not read approvals: use a key with the permission can_manage or can_approve."
    )


class CanReadApprovals(BasePermission):
    """Allows keys that manage or approve; who may decide is the verbs' own question."""

    def has_permission(self, request: Request, view: Any) -> bool:
        user = request.user
        if not (isinstance(user, Principal) and (user.can_manage or user.can_approve)):
            raise ReadingRequired
        return True


class ApprovalRuleSerializer(serializers.Serializer[Any]):
    """`id` is null once the rule is deleted, and where the caller itself wanted to be asked."""

    id = serializers.IntegerField(source="rule_id", allow_null=True)
    name = serializers.CharField(source="rule_name")


class ApprovalKeySerializer(RunKeySerializer):
    """The key that asked. `id` is null once it is deleted, and for a member of staff."""


class ApprovalAssistantSerializer(RunAssistantSerializer):
    """`id` is null once it is deleted. Where a server was asked, `slug` is empty, too."""


class ApprovalSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    state = serializers.ChoiceField(ApprovalState.choices)
    approver = serializers.ChoiceField(Approver.choices, help_text="Who decides. Staff always may.")
    rule = ApprovalRuleSerializer(source="*")
    api_key = ApprovalKeySerializer(source="*")
    username = serializers.CharField(
        help_text="The member of staff who asked, in the playground; else empty."
    )
    end_user = serializers.CharField(help_text="Whom the caller asked for, by its own name for them.")
    assistant = ApprovalAssistantSerializer(source="*")
    run_id = serializers.CharField()
    server = serializers.CharField()
    function = serializers.CharField()
    arguments = serializers.SerializerMethodField(help_text="Values that look like secrets are `••••`.")
    edited_arguments = serializers.SerializerMethodField(
        help_text="With which it was approved instead; null where nobody changed them."
    )
    reason = serializers.CharField(help_text="Why it was rejected or cancelled.")
    decided_by = serializers.CharField()
    decided_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(help_text="Until when somebody may decide.")
    created_at = serializers.DateTimeField()
    result_expires_at = serializers.DateTimeField(
        allow_null=True, help_text="Until when the outcome is kept for the caller."
    )

    def get_arguments(self, row: Approval) -> dict[str, Any]:
        return self._shown(row.arguments)

    def get_edited_arguments(self, row: Approval) -> dict[str, Any] | None:
        return None if row.edited_arguments is None else self._shown(row.edited_arguments)

    def _shown(self, arguments: Any) -> dict[str, Any]:
        show = covers.revealed if self.context.get("reveal") else covers.covered
        shown: dict[str, Any] = show(arguments)
        return shown


class ApproveSerializer(StrictSerializer):
    arguments = serializers.DictField(
        required=False, help_text="Other arguments to call it with. They must fit the tool's schema."
    )


class RejectSerializer(StrictSerializer):
    reason = NullFreeCharField(
        required=False, default="", allow_blank=True, max_length=approvals.MOST_REASON,
        help_text="The model is told it.",
    )  # fmt: skip


class RevealSerializer(serializers.Serializer[Any]):
    reveal = serializers.BooleanField(default=False)


class ApprovalFilter(django_filters.FilterSet):
    state = django_filters.ChoiceFilter(choices=ApprovalState.choices)
    approver = django_filters.ChoiceFilter(choices=Approver.choices)
    api_key_id = IdFilter(field_name="api_key_id")
    assistant_id = IdFilter(field_name="assistant_id")
    end_user = django_filters.CharFilter()
    run_id = django_filters.CharFilter()

    class Meta:
        model = Approval
        fields: list[str] = []


class ApprovalViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[Approval]):
    """Calls that somebody must decide about, and those that were decided about, newest first."""

    queryset = Approval.objects.defer("result")
    serializer_class = ApprovalSerializer
    permission_classes = [CanReadApprovals]
    filterset_class = ApprovalFilter
    pagination_class = HeaderPagination
    lookup_field = "number"
    lookup_value_regex = "[0-9]{1,18}"

    @extend_schema(parameters=[REVEAL])
    def retrieve(self, request: Request, number: str) -> Response:
        """One call."""
        asked = RevealSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        row, reveal = self._row(number), asked.validated_data["reveal"]
        if reveal:
            approvals.reveal(row, by=Actor.of(request))
        return Response(ApprovalSerializer(row, context={"reveal": reveal}).data)

    @extend_schema(request=ApproveSerializer, responses=ApprovalSerializer)
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, number: str) -> Response:
        """Have it called, with other arguments if they are given. A worker does, within seconds.

        By a key with can_approve, but for its own calls, and those of keys that it made or that made it.
        """
        arguments = _validated(ApproveSerializer, request).get("arguments")
        try:
            row = approvals.approve(self._row(number), by=Actor.of(request), arguments=arguments)
        except InvalidArguments as invalid:
            raise unfitting(invalid) from invalid
        return Response(ApprovalSerializer(row).data)

    @extend_schema(request=RejectSerializer, responses=ApprovalSerializer)
    @action(detail=True, methods=["post"])
    def reject(self, request: Request, number: str) -> Response:
        """Refuse it. By a key with can_approve, as above."""
        reason = _validated(RejectSerializer, request)["reason"]
        row = approvals.reject(self._row(number), by=Actor.of(request), reason=reason)
        return Response(ApprovalSerializer(row).data)

    def _row(self, number: str) -> Approval:
        row: Approval = found(self.get_queryset(), number, slug_field=None)
        return row


def _validated(serializer: type[StrictSerializer], request: Request) -> Mapping[str, Any]:
    sent = serializer(data=request.data)
    sent.is_valid(raise_exception=True)
    return dict(sent.validated_data)
