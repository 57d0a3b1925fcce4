"""API keys and the audit log in the admin."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from apikeys import actions
from apikeys.models import ApiKey, AuditEntry
from apikeys.principal import Limits
from core.actor import Actor


class LinesField(forms.CharField):
    """Edits a list of texts, one a line."""

    widget = forms.Textarea(attrs={"rows": 3})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return value if isinstance(value, list) else (value or "").split()

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.to_python(initial or []) != self.to_python(data))


class ApiKeyForm(forms.ModelForm[ApiKey]):
    allowed_networks = LinesField(
        required=False, help_text="Where the key may be used from, one network a line. Empty: from anywhere."
    )

    def clean_expires_at(self) -> Any:
        expires_at = self.cleaned_data["expires_at"]
        if "expires_at" in self.changed_data and expires_at is not None and expires_at <= timezone.now():
            raise forms.ValidationError("Give a time in the future.")
        return expires_at


@admin.register(ApiKey)
class ApiKeyAdmin(admin.ModelAdmin[ApiKey]):
    form = ApiKeyForm
    list_display = [
        "name", "key_prefix", "can_manage", "can_call_assistant", "is_disabled", "expires_at", "last_used_at",
    ]  # fmt: skip
    list_filter = ["is_disabled", "can_manage"]
    search_fields = ["name", "key_prefix"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    "name", "key_prefix", "can_manage", "can_call_assistant", "is_disabled",
                    "expires_at", "last_used_at", "allowed_networks",
                ]
            },
        ),
        ("Limits", {"fields": list(Limits.names()), "description": "Empty: no limit."}),
    ]  # fmt: skip
    readonly_fields = ["key_prefix", "last_used_at"]
    actions = ["disable"]

    def save_model(
        self, request: HttpRequest, obj: ApiKey, form: forms.ModelForm[ApiKey], change: bool
    ) -> None:
        cleaned = form.cleaned_data
        if change:
            actions.update(obj, by=Actor.of(request), **{name: cleaned[name] for name in form.changed_data})
            return
        issued = actions.issue(by=Actor.of(request), **cleaned)
        obj.pk, obj._state.adding = issued.api_key.pk, False  # noqa: SLF001 - the admin logs and redirects by it
        messages.warning(request, f"Copy the key now, it is not shown again: {issued.key}")

    def delete_model(self, request: HttpRequest, obj: ApiKey) -> None:
        actions.delete(obj, by=Actor.of(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        for api_key in queryset:
            actions.delete(api_key, by=Actor.of(request))

    @admin.action(description="Disable the selected keys")
    def disable(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        for api_key in queryset:
            actions.disable(api_key, by=Actor.of(request))
        messages.success(request, "The keys are disabled: callers that use them are refused from now on.")


@admin.register(AuditEntry)
class AuditEntryAdmin(admin.ModelAdmin[AuditEntry]):
    """The audit log is read-only, for superusers too."""

    list_display = ["at", "actor_name", "action", "object_kind", "object_name", "address"]
    list_filter = ["object_kind", "action", "actor_kind"]
    search_fields = ["actor_name", "object_name", "request_id"]
    date_hierarchy = "at"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: AuditEntry | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: AuditEntry | None = None) -> bool:
        return False
