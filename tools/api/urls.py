"""Routes of servers and their tools. `connector.api` has those of running servers, matched first."""

from django.urls import path, re_path
from rest_framework.routers import SimpleRouter

from tools.api.capabilities import PromptViewSet, ResourceViewSet
from tools.api.functions import FunctionViewSet
from tools.api.index import IndexView
from tools.api.mcp_tools import MCPToolViewSet

router = SimpleRouter(trailing_slash=False)
router.register("mcp-tools", MCPToolViewSet, basename="mcp-tool")

functions = FunctionViewSet.as_view({"get": "list"})
function = FunctionViewSet.as_view({"get": "retrieve", "put": "update", "patch": "partial_update"})
urlpatterns = [
    path("mcp-tools/index", IndexView.as_view(), name="mcp-tool-index"),
    *router.urls,
    path("mcp-tools/<str:pk>/functions", functions, name="function-list"),
    path("mcp-tools/<str:pk>/resources", ResourceViewSet.as_view({"get": "list"}), name="resource-list"),
    path("mcp-tools/<str:pk>/prompts", PromptViewSet.as_view({"get": "list"}), name="prompt-list"),
    # A tool's name may hold slashes.
    re_path(r"^mcp-tools/(?P<pk>[^/.]+)/functions/(?P<name>.+)$", function, name="function-detail"),
]
