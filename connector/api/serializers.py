"""How servers run, as the management API shows it."""

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
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
    """One copy of a server, as the worker that owns it reports it. `node` is null when nobody owns it."""

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
    """A server to test, registered or not: only how to start or reach it counts."""

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        fields["name"].required = False
        return fields


@extend_schema_serializer(component_name="Offered")  # generated clients know it by this name
class ListedToolSerializer(serializers.Serializer[Any]):
    """A tool as the server lists it: wire JSON of MCP."""

    name = serializers.CharField()
    title = serializers.CharField(default="")
    description = serializers.CharField(default="")
    input_schema = serializers.DictField(source="inputSchema", default=dict)


@extend_schema_serializer(component_name="Trial")
class ConnectionTestSerializer(serializers.Serializer[Any]):
    """`error` is null if the server started, or was reached, and listed its functions."""

    ok = serializers.SerializerMethodField()
    duration_ms = serializers.IntegerField()
    protocol_version = serializers.CharField()
    functions = ListedToolSerializer(many=True, source="tools")
    complaint = serializers.CharField(
        source="warning", help_text="What was left out of the functions; empty when nothing was."
    )
    error = ServerErrorSerializer(allow_null=True)
    stderr_tail = serializers.CharField()

    def get_ok(self, test: Any) -> bool:
        return test.error is None


class CallSerializer(StrictSerializer):
    arguments = serializers.DictField(default=dict)
    timeout_s = serializers.FloatField(
        required=False, min_value=0.1, max_value=600, help_text="The server's own where none is given."
    )


class CallResultSerializer(serializers.Serializer[Any]):
    """A result of MCP. `is_error`: the function ran, and reports that it failed."""

    content = serializers.ListField(child=serializers.DictField())
    structured_content = serializers.DictField(allow_null=True)
    is_error = serializers.BooleanField()
    duration_ms = serializers.IntegerField()
