"""/api/v1/mcp-tools/{id}/...: routes that run, test or call a server, or show how it runs."""

import time
from collections.abc import Coroutine
from dataclasses import asdict
from typing import Any, TypeVar, cast

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from apikeys.principal import Principal
from connector.api.errors import Failed, NotAllowed, unfitting
from connector.api.serializers import (
    CallResultSerializer,
    CallSerializer,
    CandidateSerializer,
    ConnectionTestSerializer,
    InstanceSerializer,
)
from connector.client import connection_tests, direct_calls
from connector.client.direct_calls import Admitted
from connector.client.waiting import awaited
from connector.errors import CallFailed
from connector.models import Instance
from core.actor import Actor
from core.api.viewsets import found
from tools import actions, connection_settings
from tools.api.serializers import MCPToolSerializer
from tools.arguments import InvalidArguments, checked
from tools.launch import launch_spec
from tools.models import MCPTool, ToolFunction

T = TypeVar("T")


class RuntimeViewSet(viewsets.GenericViewSet[MCPTool]):
    """What a registered server does now, as opposed to how it is configured (`tools.api`)."""

    queryset = MCPTool.objects.present().without_vectors().with_function_count().with_refused_tools()
    serializer_class = MCPToolSerializer
    pagination_class = None
    filter_backends = []

    def get_object(self) -> MCPTool:
        server: MCPTool = found(self.get_queryset(), self.kwargs["pk"], slug_field="slug")
        return server

    @extend_schema(request=None, responses={202: MCPToolSerializer})
    def refresh(self, request: Request, pk: str) -> Response:
        """List the functions of a running server again, and check its health."""
        server = self.get_object()
        actions.refresh(server)
        return Response(MCPToolSerializer(server).data, status=202)

    @extend_schema(responses=InstanceSerializer(many=True))
    def instances(self, request: Request, pk: str) -> Response:
        """The copies of a server: their worker, their state, and the end of their standard error."""
        rows = Instance.objects.filter(server=self.get_object()).select_related("worker").order_by("slot")
        return Response(InstanceSerializer(rows, many=True).data)

    @extend_schema(
        operation_id="api_v1_mcp_tools_test_unsaved",
        request=CandidateSerializer,
        responses=ConnectionTestSerializer,
    )
    def test_unsaved(self, request: Request) -> Response:
        """Start or reach a server that is not registered, and list its functions. Nothing is saved."""
        return self._test(MCPTool(), CandidateSerializer(data=request.data))

    @extend_schema(request=CandidateSerializer, responses=ConnectionTestSerializer)
    def test_registered(self, request: Request, pk: str) -> Response:
        """Test a registered server, with the changes in the body. Nothing is saved."""
        server = self.get_object()
        return self._test(server, CandidateSerializer(server, data=request.data, partial=True))

    @extend_schema(request=CallSerializer, responses=CallResultSerializer)
    def call(self, request: Request, pk: str, name: str) -> Response:
        """Call a function by its own name, once. The rules for all calls and those of the API key hold."""
        server = self.get_object()
        function = get_object_or_404(ToolFunction.objects.present(), server=server, name=name)
        sent = CallSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        timeout_s = sent.validated_data.get("timeout_s", server.call_timeout_s)
        fitting = _awaited(_checked(function, sent.validated_data["arguments"]))
        admitted = _admitted(server, function, fitting, request)
        began = time.monotonic()
        result = _awaited(direct_calls.made(server.pk, function.name, admitted, timeout_s=timeout_s))
        duration_ms = round((time.monotonic() - began) * 1000)
        return Response(CallResultSerializer({**asdict(result), "duration_ms": duration_ms}).data)

    def _test(self, server: MCPTool, sent: CandidateSerializer) -> Response:
        sent.is_valid(raise_exception=True)
        connection_settings.apply(server, sent.validated_data)
        # The candidate was never saved, so no verb of `tools.actions` has checked it.
        server.clean()
        return Response(ConnectionTestSerializer(_awaited(connection_tests.run(launch_spec(server)))).data)


def _admitted(
    server: MCPTool, function: ToolFunction, arguments: dict[str, Any], request: Request
) -> Admitted:
    """Returns how the call may be made, and records it. Raises NotAllowed."""
    try:
        admitted = direct_calls.admitted(server, function, arguments, cast(Principal, request.user))
    except direct_calls.Refused as refused:
        raise NotAllowed(refused) from refused
    direct_calls.record(server, function.public_name, "called", admitted.arguments, by=Actor.of(request))
    return admitted


async def _checked(function: ToolFunction, arguments: dict[str, Any]) -> dict[str, Any]:
    """Raises ValidationError, by the paths of what is wrong."""
    try:
        return await checked(function.input_schema, arguments)
    except InvalidArguments as invalid:
        raise unfitting(invalid) from invalid


def _awaited(work: Coroutine[Any, Any, T]) -> T:
    """Returns the result of `work`. Raises Failed for a CallFailed."""
    try:
        return awaited(work)
    except CallFailed as failure:
        raise Failed(failure) from failure
