"""How servers run, on the wire."""

from typing import Any

from rest_framework import serializers

from connector.states import Phase
from core.api.serializers import StrictSerializer
from tools.api.serializers import MCPToolSerializer, ServerErrorSerializer


class LastExitSerializer(serializers.Serializer[Any]):
    code = serializers.IntegerField(allow_null=True)
    signal = serializers.IntegerField(allow_null=True)
    remedy = serializers.CharField()

    def get_fields(self) -> dict[str, Any]:
        return {**super().get_fields(), "class": serializers.CharField()}


class InstanceSerializer(serializers.Serializer[Any]):
    """One copy of a server, as its owner sees it. `node`: the worker, null when nobody owns it."""

    slot = serializers.IntegerField()
    state = serializers.ChoiceField(Phase.choices, source="phase")
    node = serializers.CharField(source="worker.node", default=None, allow_null=True)
    pid = serializers.IntegerField(allow_null=True)
    restarts = serializers.IntegerField()
    protocol_version = serializers.CharField()
    started_at = serializers.DateTimeField(allow_null=True)
    last_healthy_at = serializers.DateTimeField(allow_null=True)
    last_exit = LastExitSerializer(allow_null=True)
    stderr_tail = serializers.CharField()


class CandidateSerializer(MCPToolSerializer):
    """A server that need not be registered: all that counts is how to start or reach it."""

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        fields["name"].required = False
        return fields


class OfferedSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    title = serializers.CharField(default="")
    description = serializers.CharField(default="")
    input_schema = serializers.DictField(source="inputSchema", default=dict)


class TrialSerializer(serializers.Serializer[Any]):
    """`error` is null when the server started, or was reached, and listed its functions."""

    ok = serializers.SerializerMethodField()
    duration_ms = serializers.IntegerField()
    protocol_version = serializers.CharField()
    functions = OfferedSerializer(many=True, source="tools")
    complaint = serializers.CharField(help_text="What was left out of the functions; empty when nothing was.")
    error = ServerErrorSerializer(allow_null=True)
    stderr_tail = serializers.CharField()

    def get_ok(self, trial: Any) -> bool:
        return trial.error is None


class CallSerializer(StrictSerializer):
    arguments = serializers.DictField(default=dict)
    timeout_s = serializers.FloatField(
        required=False, min_value=0.1, max_value=600, help_text="The server's own where none is given."
    )


class CallResultSerializer(serializers.Serializer[Any]):
    """As MCP has it. `is_error`: the function ran, and says that it failed."""

    content = serializers.ListField(child=serializers.DictField())
    structured_content = serializers.DictField(allow_null=True)
    is_error = serializers.BooleanField()
    duration_ms = serializers.IntegerField()
