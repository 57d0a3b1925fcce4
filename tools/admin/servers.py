"""The console's pages of MCP servers: their list, which is live, and their settings."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.context_processors import PermWrapper
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.sections import TemplateSection

from core.actor import Actor
from core.admin.times import time_tag
from core.admin.verbs import Fields
from tools import actions
from tools.admin import server_changes, server_states
from tools.admin.paste import PasteServers
from tools.admin.server_form import FIELDSETS, SHOWN_FOR, MCPToolForm
from tools.admin.server_operations import ServerOperations
from tools.admin.server_tools import ServerTools
from tools.models import MCPTool

MOST_LIVE = 200


class ServerSection(TemplateSection):  # type: ignore[misc]
    """What a row of the list unfolds to: why the server broke and what to do, and its copies."""

    template_name = "admin/tools/mcptool/section.html"

    def get_context_data(self, request: HttpRequest, instance: MCPTool) -> dict[str, Any]:
        shown = {"server": instance, "instances": server_states.instances_of(instance)}
        return {**shown, "perms": PermWrapper(request.user)}  # sections are rendered without processors


@admin.register(MCPTool)
class MCPToolAdmin(ServerOperations):
    form = MCPToolForm
    fieldsets = FIELDSETS
    conditional_fields = SHOWN_FOR
    when_empty = _("Paste the configuration of an MCP client above, or add a server by its form.")
    list_display = ["shown_name", "transport", "state", "tools", "copies", "checked"]
    list_filter = ["status", "connection_type", "is_enabled"]
    list_sections = [ServerSection]
    list_per_page = 20
    list_before_template = "admin/tools/mcptool/list_before.html"
    show_full_result_count = False
    search_fields = ["name", "slug", "description"]
    search_help_text = _("Search in name, slug and description")
    change_form_outer_before_template = "admin/tools/mcptool/settings_before.html"
    change_form_outer_after_template = "admin/tools/mcptool/test_panel.html"

    class Media:
        js = ["console/servers.js"]

    def get_readonly_fields(self, request: HttpRequest, obj: MCPTool | None = None) -> list[str]:
        return ["slug"] if obj else []

    def get_queryset(self, request: HttpRequest) -> QuerySet[MCPTool]:
        present = MCPTool.objects.present().without_vectors().with_function_count()
        return server_states.with_instances(present)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        of_tools, paste = view(ServerTools.as_view()), view(PasteServers.as_view())
        return [
            path("paste/", paste, name="servers_paste"),
            path("live/", view(self.live), name="tools_mcptool_live"),
            path("<int:pk>/tools/", of_tools, name="tools_mcptool_functions"),
            *super().get_urls(),
        ]

    def live(self, request: HttpRequest) -> HttpResponse:
        """Answers with what moves of the servers `?ids=1,2`: see `server_states.live`."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        ids = [each for each in request.GET.get("ids", "").split(",") if each.isascii() and each.isdigit()]
        chosen = [int(each) for each in ids[:MOST_LIVE] if len(each) < 19]
        headers = {server_changes.HEADER: server_changes.address(chosen)}
        return JsonResponse({"servers": server_states.live(chosen)}, headers=headers)

    def perform_create(self, request: HttpRequest, fields: Fields) -> MCPTool:
        return actions.register(by=Actor.of(request), **fields)

    def perform_update(self, request: HttpRequest, row: MCPTool, changes: Fields) -> object:
        return actions.update(row, by=Actor.of(request), **changes)

    def perform_destroy(self, request: HttpRequest, row: MCPTool) -> object:
        # Forced, as by `?force=true` in REST: the page of confirmation has listed the assistants that use it.
        return actions.delete(row, by=Actor.of(request), force=True)

    @admin.display(description=_("Server"), ordering="name")
    def shown_name(self, server: MCPTool) -> str:
        return format_html("<div><span>{}</span><br><small>{}</small></div>", server.name, server.slug)

    @admin.display(description=_("Transport"), ordering="connection_type")
    def transport(self, server: MCPTool) -> str:
        return str(server.get_connection_type_display())

    @admin.display(description=_("State"), ordering="status")
    def state(self, server: MCPTool) -> str:
        return _live_cell(server, "state", server_states.state_of(server).as_pill())

    @admin.display(description=_("Tools"), ordering="function_count")
    def tools(self, server: Any) -> str:
        return _live_cell(server, "tools", server.function_count)

    @admin.display(description=_("Instances"))
    def copies(self, server: MCPTool) -> str:
        return _live_cell(server, "instances", server_states.serving(server))

    @admin.display(description=_("Last check"))
    def checked(self, server: MCPTool) -> str:
        return _live_cell(server, "checked", time_tag(server_states.last_check(server)))


def _live_cell(server: MCPTool, name: str, value: Any) -> str:
    return format_html('<span data-server="{}" data-live="{}">{}</span>', server.pk, name, value)
