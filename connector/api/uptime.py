"""/api/v1/mcp-tools/{id}/uptime: the availability, outages and changes of status of a server."""

from datetime import timedelta
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from connector.status import history
from core.api.viewsets import found
from tools.api.serializers import ServerErrorSerializer
from tools.models import MCPTool, Status

CHANGES_SHOWN = 100


class SecondsSerializer(serializers.Serializer[Any]):
    def get_fields(self) -> dict[str, Any]:
        return {status.value: serializers.FloatField() for status in Status}


class FiguresSerializer(serializers.Serializer[Any]):
    availability = serializers.FloatField(
        allow_null=True,
        help_text="Share, of 1, of the time that it should have run in which it served calls.",
    )
    outages = serializers.IntegerField(help_text="How often it ceased to, although it should.")
    seconds = SecondsSerializer(help_text="Spent in each status.")


class StateChangeSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    status = serializers.ChoiceField(Status.choices)
    error = ServerErrorSerializer(allow_null=True)


class UptimeSerializer(serializers.Serializer[Any]):
    last_24_hours = FiguresSerializer()
    last_90_days = FiguresSerializer()
    changes = StateChangeSerializer(many=True, help_text=f"The last {CHANGES_SHOWN}, the latest first.")


class UptimeView(APIView):
    @extend_schema(responses=UptimeSerializer)
    def get(self, request: Request, pk: str) -> Response:
        """How reliable a server was: its availability, its outages and the changes of its status."""
        server, now = found(MCPTool.objects.present().only("pk"), pk, slug_field="slug"), timezone.now()
        shown = {
            "last_24_hours": history.uptime_of(server, timedelta(hours=24), now=now),
            "last_90_days": history.uptime_of(server, history.RETENTION, now=now),
            "changes": history.changes_of(server)[:CHANGES_SHOWN],
        }
        return Response(UptimeSerializer(shown).data)
