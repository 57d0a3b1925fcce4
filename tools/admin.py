from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from apikeys.audit import Actor
from tools import actions
from tools.masking import masked, unmasked
from tools.models import MCPTool, ToolFunction


class SecretsField(forms.JSONField):
    """A JSON object of strings, shown with its values masked. A value left masked stays as it is stored."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, **kwargs)
        self.stored: dict[str, str] = {}

    def clean(self, value: Any) -> dict[str, str]:
        sent = super().clean(value) or {}
        if not isinstance(sent, dict):
            raise forms.ValidationError("Give a JSON object of strings.")
        return unmasked(sent, self.stored)


class MCPToolForm(forms.ModelForm[MCPTool]):
    env = SecretsField(help_text="Environment variables as a JSON object. The values are kept encrypted.")
    headers = SecretsField(help_text="HTTP headers as a JSON object. The values are kept encrypted.")

    class Meta:
        model = MCPTool
        fields = [
            "name", "slug", "description", "connection_type", "command", "args", "env", "url", "headers",
            "start_timeout_s", "call_timeout_s", "approval", "replicas", "is_enabled",
        ]  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            if isinstance(field, SecretsField):
                field.stored = getattr(self.instance, name)
                self.initial[name] = masked(field.stored)


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
        actions.delete(obj, by=Actor.of(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[MCPTool]) -> None:
        for server in queryset:
            actions.delete(server, by=Actor.of(request))

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
