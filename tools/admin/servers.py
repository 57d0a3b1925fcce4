"""The console's pages of MCP servers and their tools."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from core.actor import Actor
from core.admin.pages import MaskedInline
from core.admin.refusals import VerbForm
from core.admin.verbs import Fields, VerbAdmin
from core.forms import JSONField
from tools import actions
from tools.models import MCPTool, ToolFunction

MOST_HITS = 100


class MCPToolForm(VerbForm[MCPTool]):
    """Shows secrets masked. A mask that is sent back leaves the stored secret as it is."""

    args = JSONField(required=False, help_text="A JSON list of strings. Kept encrypted.")
    env = JSONField(required=False, help_text="Variables, as a JSON object. Kept encrypted.")
    url = forms.CharField(required=False, label="URL", help_text="Kept encrypted.")
    headers = JSONField(required=False, help_text="HTTP headers, as a JSON object. Kept encrypted.")

    class Meta:
        model = MCPTool
        fields = [
            "name", "slug", "description", "connection_type", "command", "args", "env", "url", "headers",
            "start_timeout_s", "call_timeout_s", "approval", "is_enriched", "replicas", "is_enabled",
        ]  # fmt: skip

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        for name, field in MCPTool.secret_fields().items():
            if name in cleaned and cleaned[name] in forms.Field.empty_values:
                cleaned[name] = field.get_default()
        return cleaned


class ToolFunctionInline(MaskedInline[ToolFunction, MCPTool]):
    model = ToolFunction
    fields = ["public_name", "title", "description", "is_enabled", "removed_at"]
    readonly_fields = ["public_name", "title", "description", "is_enabled", "removed_at"]
    extra = 0
    can_delete = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[ToolFunction]:
        return ToolFunction.objects.without_vectors()

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(MCPTool)
class MCPToolAdmin(VerbAdmin[MCPTool]):
    form = MCPToolForm
    inlines = [ToolFunctionInline]
    list_display = ["name", "connection_type", "status", "error_message", "is_enabled", "last_healthy_at"]
    list_filter = ["status", "connection_type", "is_enabled"]
    search_fields = ["name", "slug", "description"]
    actions = ["start", "stop", "restart"]

    def get_readonly_fields(self, request: HttpRequest, obj: MCPTool | None = None) -> list[str]:
        return ["slug"] if obj else []

    def get_queryset(self, request: HttpRequest) -> QuerySet[MCPTool]:
        return MCPTool.objects.present().without_vectors()

    def perform_create(self, request: HttpRequest, fields: Fields) -> MCPTool:
        return actions.register(by=Actor.of(request), **fields)

    def perform_update(self, request: HttpRequest, row: MCPTool, changes: Fields) -> object:
        return actions.update(row, by=Actor.of(request), **changes)

    def perform_destroy(self, request: HttpRequest, row: MCPTool) -> object:
        # Forced, as by `?force=true` in REST: the page of confirmation has listed the assistants that use it.
        return actions.delete(row, by=Actor.of(request), force=True)

    @admin.action(description="Start", permissions=["change"])
    def start(self, request: HttpRequest, queryset: QuerySet[MCPTool]) -> None:
        for server in queryset:
            actions.start(server, by=Actor.of(request))

    @admin.action(description="Stop", permissions=["change"])
    def stop(self, request: HttpRequest, queryset: QuerySet[MCPTool]) -> None:
        for server in queryset:
            actions.stop(server, by=Actor.of(request))

    @admin.action(description="Restart", permissions=["change"])
    def restart(self, request: HttpRequest, queryset: QuerySet[MCPTool]) -> None:
        for server in queryset:
            actions.restart(server, by=Actor.of(request))
