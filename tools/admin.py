from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest

from apikeys.audit import Actor
from tools import actions
from tools.models import MCPTool, ToolFunction


class MCPToolForm(forms.ModelForm[MCPTool]):
    """Secrets are shown masked. What is left masked stays as it is stored."""

    args = forms.JSONField(required=False, help_text="A JSON list of strings. Kept encrypted.")
    env = forms.JSONField(required=False, help_text="Variables, as a JSON object. Kept encrypted.")
    url = forms.CharField(required=False, label="URL", help_text="Kept encrypted.")
    headers = forms.JSONField(required=False, help_text="HTTP headers, as a JSON object. Kept encrypted.")

    class Meta:
        model = MCPTool
        fields = [
            "name", "slug", "description", "connection_type", "command", "args", "env", "url", "headers",
            "start_timeout_s", "call_timeout_s", "approval", "replicas", "is_enabled",
        ]  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in MCPTool.secret_fields().items():
            self.initial[name] = field.masked(getattr(self.instance, name))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        for name, field in MCPTool.secret_fields().items():
            try:
                cleaned[name] = field.unmasked(
                    cleaned.get(name) or field.get_default(), getattr(self.instance, name)
                )
            except ValidationError as error:
                self.add_error(name, error)
        return cleaned


class ToolFunctionInline(admin.TabularInline[ToolFunction, MCPTool]):
    model = ToolFunction
    fields = ["public_name", "title", "description", "is_enabled", "removed_at"]
    readonly_fields = ["public_name", "title", "description", "is_enabled", "removed_at"]
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(MCPTool)
class MCPToolAdmin(admin.ModelAdmin[MCPTool]):
    form = MCPToolForm
    inlines = [ToolFunctionInline]
    list_display = ["name", "connection_type", "status", "error_message", "is_enabled", "last_healthy_at"]
    list_filter = ["status", "connection_type", "is_enabled"]
    search_fields = ["name", "slug", "description"]
    actions = ["start", "stop", "restart"]

    def get_readonly_fields(self, request: HttpRequest, obj: MCPTool | None = None) -> list[str]:
        return ["slug"] if obj else []

    def get_queryset(self, request: HttpRequest) -> QuerySet[MCPTool]:
        return super().get_queryset(request).filter(deleted_at=None)

    def save_model(
        self, request: HttpRequest, obj: MCPTool, form: forms.ModelForm[MCPTool], change: bool
    ) -> None:
        if change:
            changes = {name: form.cleaned_data[name] for name in form.changed_data}
            actions.update(obj, by=Actor.of(request), **changes)
        else:
            registered = actions.register(by=Actor.of(request), **form.cleaned_data)
            obj.pk = registered.pk

    def delete_model(self, request: HttpRequest, obj: MCPTool) -> None:
        actions.delete(obj, by=Actor.of(request), force=True)  # the page before has listed who uses it

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[MCPTool]) -> None:
        for server in queryset:
            actions.delete(server, by=Actor.of(request), force=True)

    @admin.action(description="Start")
    def start(self, request: HttpRequest, queryset: QuerySet[MCPTool]) -> None:
        for server in queryset:
            actions.start(server, by=Actor.of(request))

    @admin.action(description="Stop")
    def stop(self, request: HttpRequest, queryset: QuerySet[MCPTool]) -> None:
        for server in queryset:
            actions.stop(server, by=Actor.of(request))

    @admin.action(description="Restart")
    def restart(self, request: HttpRequest, queryset: QuerySet[MCPTool]) -> None:
        for server in queryset:
            actions.restart(server, by=Actor.of(request))
