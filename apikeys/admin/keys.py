"""API keys and the audit log in the admin."""

from datetime import timedelta
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from apikeys import actions
from apikeys.actions import IssuedKey
from apikeys.models import ApiKey
from apikeys.principal import Limits
from core.actor import Actor
from core.admin.refusals import VerbForm, refusals_in
from core.admin.verbs import Fields, VerbAdmin


class LinesField(forms.CharField):
    """Edits a list of texts, one a line."""

    widget = forms.Textarea(attrs={"rows": 3})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return value if isinstance(value, list) else (value or "").split()

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.to_python(initial or []) != self.to_python(data))


class ApiKeyForm(VerbForm[ApiKey]):
    allowed_networks = LinesField(
        required=False, help_text="Where the key may be used from, one network a line. Empty: from anywhere."
    )


class RotationForm(forms.Form):
    grace_seconds = forms.IntegerField(
        initial=24 * 3600,
        min_value=0,
        max_value=int(actions.LONGEST_GRACE.total_seconds()),
        label="Seconds for which the old key works beside the new one",
        help_text="0: it stops at once, and what runs with it ends.",
    )


@admin.register(ApiKey)
class ApiKeyAdmin(VerbAdmin[ApiKey]):
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

    def perform_create(self, request: HttpRequest, fields: Fields) -> ApiKey:
        issued = actions.issue(by=Actor.of(request), **fields)
        cast(Any, request).issued = issued  # for `response_add`, and nothing that outlives the request
        return issued.api_key

    def perform_update(self, request: HttpRequest, row: ApiKey, changes: Fields) -> object:
        return actions.update(row, by=Actor.of(request), **changes)

    def perform_destroy(self, request: HttpRequest, row: ApiKey) -> object:
        return actions.delete(row, by=Actor.of(request))

    def response_add(
        self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None
    ) -> HttpResponse:
        return self._reveal(request, cast(Any, request).issued)

    def get_urls(self) -> list[URLPattern]:
        rotate = self.admin_site.admin_view(self.rotate)
        return [path("<int:pk>/rotate/", rotate, name="apikeys_apikey_rotate"), *super().get_urls()]

    def rotate(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Asks for the grace period, and gives the key a new secret."""
        api_key = self.get_object(request, str(pk))
        if not self.has_change_permission(request, api_key):
            raise PermissionDenied
        if api_key is None:
            raise Http404
        form = RotationForm(request.POST or None)
        if form.is_valid():
            grace = timedelta(seconds=form.cleaned_data["grace_seconds"])
            with refusals_in(form):
                issued = actions.rotate(api_key, by=Actor.of(request), grace=grace)
                self.log_change(request, api_key, "Rotated.")
                return self._reveal(request, issued)
        context = {"title": f"Rotate {api_key}", "original": api_key, "form": form}
        return self._page(request, "rotate", context)

    def _reveal(self, request: HttpRequest, issued: IssuedKey) -> HttpResponse:
        """Shows a new key in this one response.

        A redirect would have to carry it: in a message, which is a cookie, in the session or in the address.
        """
        context = {"title": "Copy the key now", "original": issued.api_key, "key": issued.key}
        response = self._page(request, "issued", context)
        response.headers["Cache-Control"] = "no-store"
        return response

    def _page(self, request: HttpRequest, name: str, context: dict[str, Any]) -> TemplateResponse:
        shared = {**self.admin_site.each_context(request), "opts": self.opts}
        return TemplateResponse(request, f"admin/apikeys/apikey/{name}.html", shared | context)

    @admin.action(description="Disable the selected keys", permissions=["change"])
    def disable(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        for api_key in queryset:
            actions.disable(api_key, by=Actor.of(request))
        messages.success(request, "The keys are disabled: callers that use them are refused from now on.")
