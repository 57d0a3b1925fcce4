from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest

from apikeys import actions
from apikeys.audit import Actor
from apikeys.models import ApiKey


@admin.register(ApiKey)
class ApiKeyAdmin(admin.ModelAdmin[ApiKey]):
    list_display = ["name", "key_prefix", "can_manage", "can_call_assistant", "is_disabled", "expires_at"]
    list_filter = ["is_disabled", "can_manage"]
    search_fields = ["name", "key_prefix"]
    fields = ["name", "key_prefix", "can_manage", "can_call_assistant", "is_disabled", "expires_at"]
    readonly_fields = ["key_prefix"]
    actions = ["disable"]

    def save_model(self, request: HttpRequest, obj: ApiKey, form: ModelForm[ApiKey], change: bool) -> None:
        wanted = form.cleaned_data
        if change:
            actions.update(obj, by=Actor.of(request), **{name: wanted[name] for name in form.changed_data})
            return
        issued = actions.issue(by=Actor.of(request), **wanted)
        obj.pk, obj._state.adding = issued.api_key.pk, False  # noqa: SLF001 - the admin logs and redirects by it
        messages.warning(request, f"Copy the key now, it is not shown again: {issued.key}")

    @admin.action(description="Disable the selected keys")
    def disable(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        for api_key in queryset:
            actions.disable(api_key, by=Actor.of(request))
        messages.success(request, "The keys are disabled: callers that use them are refused from now on.")
