"""/api/v1/rules"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import django_filters
from django.core.exceptions import ValidationError
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from apikeys.models import ApiKey
from assistants import actions, rules
from assistants.models import Approver, Assistant, Effect, Rule
from assistants.rules import masks
from assistants.rules.hints import DEFAULTS
from core.api.filters import LARGEST_ID, IdFilter
from core.api.serializers import NullFreeCharField, StrictSerializer
from core.api.viewsets import ManagementViewSet
from tools.models import Label

LONGEST_AGO = timedelta(days=366)
_NAMES = {"conditions": "when", "effect": "then", "assistant": "assistant_id", "api_key": "api_key_id"}
"""What the API calls fields of the model."""


class AnnotationsSerializer(StrictSerializer):
    """Hints of the server about its tool. Those that it does not give are as the specification has them."""

    def get_fields(self) -> dict[str, Any]:
        return {name: serializers.BooleanField(required=False) for name in DEFAULTS}


class ConditionsSerializer(StrictSerializer):
    """What a call must be. A condition that is not there matches every call; of a list one must match."""

    # Only for the OpenAPI document: `assistants.rules.Conditions` checks what is sent.

    servers = serializers.ListField(child=serializers.IntegerField(min_value=1), required=False)
    functions = serializers.ListField(
        child=serializers.CharField(max_length=64), required=False, help_text="Public names of tools."
    )
    annotations = AnnotationsSerializer(required=False)
    labels = serializers.ListField(child=serializers.ChoiceField(Label.choices), required=False)
    end_users = serializers.ListField(child=serializers.CharField(max_length=512), required=False)
    expression = serializers.CharField(
        required=False,
        help_text="In CEL, true or false, over call.server, call.function, call.arguments, call.annotations, "
        "call.labels, key.name, key.prefix, assistant.slug, end_user and touched.",
    )

    def run_validation(self, data: Any = serializers.empty) -> Any:
        return self.validate_empty_values(data)[1]

    def to_representation(self, instance: Any) -> Any:
        return instance


def _related(model: Any, source: str, text: str) -> Any:
    return serializers.PrimaryKeyRelatedField(
        source=source,
        queryset=model.objects.all(),
        pk_field=serializers.IntegerField(min_value=1, max_value=LARGEST_ID),
        required=False,
        allow_null=True,
        help_text=text,
    )


class RuleSerializer(StrictSerializer):
    """`when`, `then`: what becomes of a call that matches, before it is made."""

    id = serializers.IntegerField(read_only=True)
    version = serializers.IntegerField(read_only=True)
    name = NullFreeCharField(max_length=255)
    position = serializers.IntegerField(
        required=False,
        min_value=0,
        max_value=actions.LAST_POSITION,
        help_text="Of the rules of a scope the first one counts that matches. Without it: after the others.",
    )
    scope = serializers.ChoiceField(Rule.Scope.choices, required=False)
    assistant_id: Any = _related(Assistant, "assistant", "Of the scope `assistant`.")
    api_key_id: Any = _related(ApiKey, "api_key", "Of the scope `key`.")
    when = ConditionsSerializer(source="conditions", required=False)
    then = serializers.ChoiceField(Effect.choices, source="effect")
    approver = serializers.ChoiceField(
        Approver.choices, required=False, allow_null=True, help_text="Who decides: of `ask` alone."
    )
    reason = NullFreeCharField(
        required=False, allow_blank=True, max_length=1000, help_text="The model is told it with a denial."
    )
    mask = serializers.ListField(
        child=NullFreeCharField(max_length=masks.LONGEST_PATH),
        required=False,
        help_text="Paths in the arguments, of `mask` alone: $.card.number, $.cards[*].number.",
    )
    is_enabled = serializers.BooleanField(required=False)
    created_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)

    def to_representation(self, instance: Any) -> dict[str, Any]:
        shown = dict(super().to_representation(instance))
        return shown if instance.effect == Effect.ASK else {**shown, "approver": None}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuses what would be dropped without a word."""
        effect, scope = self._present(attrs, "effect", ""), self._present(attrs, "scope", Rule.Scope.GLOBAL)
        errors = {}
        if attrs.get("approver") and effect != Effect.ASK:
            errors["approver"] = "Only a rule that asks has an approver."
        if attrs.get("mask") and effect != Effect.MASK:
            errors["mask"] = "Only a rule that masks has paths."
        if attrs.get("assistant") and scope != Rule.Scope.ASSISTANT:
            errors["assistant_id"] = "Only a rule of the scope `assistant` has an assistant."
        if attrs.get("api_key") and scope != Rule.Scope.KEY:
            errors["api_key_id"] = "Only a rule of the scope `key` has a key."
        if errors:
            raise serializers.ValidationError(errors)
        if attrs.get("approver", "") is None:
            attrs["approver"] = Approver.STAFF
        return attrs

    def _present(self, attrs: dict[str, Any], name: str, default: str) -> Any:
        return attrs.get(name, getattr(self.instance, name, default))


class TriedRuleSerializer(RuleSerializer):
    """A rule that is not stored: it needs no name."""

    name = NullFreeCharField(max_length=255, required=False)


class TrialSerializer(StrictSerializer):
    rule = TriedRuleSerializer()
    since = serializers.DateTimeField(required=False, help_text="Without it: seven days ago.")

    def validate_since(self, value: datetime) -> datetime:
        if value > timezone.now():
            raise serializers.ValidationError("Give a time in the past.")
        return max(value, timezone.now() - LONGEST_AGO)


class PastCallSerializer(serializers.Serializer[Any]):
    run_id = serializers.CharField()
    server = serializers.CharField()
    function = serializers.CharField()
    assistant = serializers.CharField(help_text="Its slug.")
    started_at = serializers.DateTimeField()


class DryRunSerializer(serializers.Serializer[Any]):
    """The latest calls, at most 10,000, the latest first, judged by this rule alone."""

    calls = serializers.IntegerField(help_text="How many were looked at.")
    denied = PastCallSerializer(many=True)
    asked = PastCallSerializer(many=True)
    masked = PastCallSerializer(many=True)
    undecidable = serializers.IntegerField(
        help_text="Calls of which the rule looks at what is not stored: arguments, where the assistant "
        "stores no bodies; what the conversation had touched; the definition of a tool that is gone."
    )


class RuleFilter(django_filters.FilterSet):
    search = django_filters.CharFilter(field_name="name", lookup_expr="icontains")
    then = django_filters.ChoiceFilter(field_name="effect", choices=Effect.choices)
    assistant_id = IdFilter(field_name="assistant")
    api_key_id = IdFilter(field_name="api_key")

    class Meta:
        model = Rule
        fields = ["scope", "is_enabled"]


class RuleViewSet(ManagementViewSet):
    """What becomes of calls before they are made: the first rule of a scope, the strictest of the scopes."""

    queryset = Rule.objects.all()
    serializer_class = RuleSerializer
    filterset_class = RuleFilter

    def perform_create(self, validated: dict[str, Any]) -> Rule:
        with _named_as_sent():
            return actions.add_rule(by=self.actor, **validated)

    def perform_update(self, row: Rule, validated: dict[str, Any]) -> Rule:
        with _named_as_sent():
            return actions.update_rule(row, by=self.actor, **validated)

    def perform_destroy(self, row: Rule) -> None:
        actions.delete_rule(row, by=self.actor)

    @extend_schema(request=TrialSerializer, responses=DryRunSerializer, filters=False)
    @action(detail=False, methods=["post"], url_path="dry-run", pagination_class=None)
    def dry_run(self, request: Request) -> Response:
        """Tell what a rule would have made of the calls of the last days. Nothing is stored."""
        sent = TrialSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        since = sent.validated_data.get("since", timezone.now() - rules.PERIOD)
        with _named_as_sent("rule."):
            rule = actions.checked_rule(**sent.validated_data["rule"])
        return Response(DryRunSerializer(rules.dry_run(rule, since=since)).data)


@contextmanager
def _named_as_sent(prefix: str = "") -> Iterator[None]:
    """Names the fields of a refusal as the API does: `when.expression`."""
    try:
        yield
    except ValidationError as error:
        named = {}
        for path, messages in error.message_dict.items():
            name, dot, rest = path.partition(".")
            named[f"{prefix}{_NAMES.get(name, name)}{dot}{rest}"] = messages
        raise ValidationError(named) from error
