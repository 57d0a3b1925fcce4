"""Routes beside those of `tools.api`, matched before them: a function's name may end in `/call`."""

from django.urls import path, re_path

from connector.api.mcp_tools import RuntimeViewSet
from connector.api.uptime import UptimeView

_as_view = RuntimeViewSet.as_view
urlpatterns = [
    path("mcp-tools/test", _as_view({"post": "test_unsaved"}), name="mcp-tool-candidate-test"),
    path("mcp-tools/<str:pk>/test", _as_view({"post": "test_registered"}), name="mcp-tool-test"),
    path("mcp-tools/<str:pk>/refresh", _as_view({"post": "refresh"}), name="mcp-tool-refresh"),
    path("mcp-tools/<str:pk>/instances", _as_view({"get": "instances"}), name="mcp-tool-instances"),
    path("mcp-tools/<str:pk>/uptime", UptimeView.as_view(), name="mcp-tool-uptime"),
    re_path(
        r"^mcp-tools/(?P<pk>[^/]+)/functions/(?P<name>.+)/call$",
        _as_view({"post": "call"}),
        name="function-call",
    ),
]
