"""The console's pages of API keys."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from apikeys import actions
from apikeys.actions import IssuedKey
from apikeys.admin.key_forms import ApiKeyForm, RotationForm
from apikeys.models import ApiKey, TokenUsage
from apikeys.principal import Limits
from core.actor import Actor
from core.admin.pills import pill
from core.admin.refusals import refusals_in
from core.admin.times import exact, time_tag
from core.admin.verbs import VERSION, Fields, VerbAdmin, refuse_if_changed_meanwhile

MAY_APPROVE = "assistants.decide_approval"
SOON = timedelta(days=7)
"""A key that expires within this time is marked."""


class StateFilter(admin.SimpleListFilter):
    title, parameter_name = _("state"), "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("active", _("active")),
            ("soon", _("expires within a week")),
            ("expired", _("expired")),
            ("disabled", _("disabled")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> QuerySet[ApiKey]:
        now = timezone.now()
        conditions = {
            "active": Q(is_disabled=False) & (Q(expires_at=None) | Q(expires_at__gt=now)),
            "soon": Q(is_disabled=False, expires_at__gt=now, expires_at__lte=now + SOON),
            "expired": Q(is_disabled=False, expires_at__lte=now),
            "disabled": Q(is_disabled=True),
        }
        return queryset.filter(conditions.get(self.value() or "", Q()))


@admin.register(ApiKey)
class ApiKeyAdmin(VerbAdmin[ApiKey]):
    form = ApiKeyForm
    when_empty = _("With a key, any OpenAI client may call the assistants that are granted to it.")
    list_display = ["name", "prefix", "scopes", "assistant_count", "expires", "last_used", "state"]
    list_filter = [StateFilter, "can_manage", "can_call_assistant", "can_approve"]
    search_fields = ["name", "key_prefix"]
    search_help_text = _("Finds names, and the beginnings of keys.")
    fieldsets = [
        (None, {"fields": ["name", "can_call_assistant", "assistants", "can_manage", "can_approve"]}),
        (_("How long"), {"fields": ["expiry", "expires_at", "is_disabled"]}),
        (_("How much"), {"fields": list(Limits.names()), "description": _("Empty: no limit.")}),
        (_("From where"), {"fields": ["allowed_networks"]}),
    ]
    actions = ["disable"]
    change_form_outer_before_template = "admin/apikeys/apikey/facts.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiKey]:
        return super().get_queryset(request).annotate(granted=Count("assistants"))

    def get_form(
        self, request: HttpRequest, obj: ApiKey | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        # Nobody hands out a right that they do not have. Who may only look has no such field.
        form.may_let_approve = cast(Any, request.user).has_perm(MAY_APPROVE)
        return form

    def perform_create(self, request: HttpRequest, fields: Fields) -> ApiKey:
        issued = actions.issue(by=Actor.of(request), **_for_verbs(fields))
        cast(Any, request).issued = issued  # for `response_add`, and nothing that outlives the request
        return issued.api_key

    def perform_update(self, request: HttpRequest, row: ApiKey, changes: Fields) -> object:
        if "expiry" in changes:  # the form has put what it means into the row
            changes = {**changes, "expires_at": row.expires_at}
        return actions.update(row, by=Actor.of(request), **_for_verbs(changes))

    def perform_destroy(self, request: HttpRequest, row: ApiKey) -> object:
        return actions.delete(row, by=Actor.of(request))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        row = self.get_object(request, object_id)
        facts = {"spent": _spent(row), "state": state_pill(row)} if row else {}
        return super().change_view(request, object_id, form_url, {**facts, **(extra_context or {})})

    def response_add(
        self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None
    ) -> HttpResponse:
        return self._reveal(request, cast(Any, request).issued)

    def get_urls(self) -> list[URLPattern]:
        rotate = self.admin_site.admin_view(self.rotate)
        return [path("<int:pk>/rotate/", rotate, name="apikeys_apikey_rotate"), *super().get_urls()]

    def rotate(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Asks for the grace period, and gives the key a new secret: once, if the form is sent twice."""
        api_key = self.get_object(request, str(pk))
        if not self.has_change_permission(request, api_key):
            raise PermissionDenied
        if api_key is None:
            raise Http404
        if api_key.can_approve and not cast(Any, request.user).has_perm(MAY_APPROVE):
            raise PermissionDenied
        form = RotationForm(request.POST or None)
        if form.is_valid():
            grace = timedelta(seconds=form.cleaned_data["grace_seconds"])
            with refusals_in(form):
                refuse_if_changed_meanwhile(request, api_key)
                issued = actions.rotate(api_key, by=Actor.of(request), grace=grace)
                return self._reveal(request, issued)
        title = gettext("Rotate %(name)s") % {"name": api_key}
        context = {"title": title, "original": api_key, "form": form, VERSION: api_key.version}
        return self._page(request, "rotate", context)

    def _reveal(self, request: HttpRequest, issued: IssuedKey) -> HttpResponse:
        """Shows a new key in this one response.

        A redirect would have to carry it: in a message, which is a cookie, in the session or in the address.
        """
        context = {"title": gettext("Copy the key now"), "original": issued.api_key, "secret": issued.key}
        response = self._page(request, "issued", context)
        response.headers["Cache-Control"] = "no-store"
        return response

    def _page(self, request: HttpRequest, name: str, context: dict[str, Any]) -> TemplateResponse:
        shared = {**self.admin_site.each_context(request), "opts": self.opts}
        return TemplateResponse(request, f"admin/apikeys/apikey/{name}.html", shared | context)

    @admin.action(description=_("Disable"), permissions=["change"])
    def disable(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        for api_key in queryset:
            actions.disable(api_key, by=Actor.of(request))
        count = len(queryset)
        told = ngettext(
            "%(count)d key is disabled: callers that use it are refused from now on.",
            "%(count)d keys are disabled: callers that use them are refused from now on.",
            count,
        )
        messages.success(request, told % {"count": count})

    @admin.display(description=_("Key"), ordering="key_prefix")
    def prefix(self, api_key: ApiKey) -> str:
        return api_key.key_prefix

    @admin.display(description=_("May"))
    def scopes(self, api_key: ApiKey) -> str:
        pills = []
        if api_key.can_call_assistant:
            pills.append(pill(_("call"), "smart_toy", "info"))
        if api_key.can_manage:
            pills.append(pill(_("manage"), "admin_panel_settings", "warning"))
        if api_key.can_approve:
            pills.append(pill(_("approve"), "how_to_reg", "warning"))
        return format_html_join(" ", "{}", ((each,) for each in pills)) or gettext("nothing")

    @admin.display(description=_("Assistants"), ordering="granted")
    def assistant_count(self, api_key: Any) -> int:
        return int(api_key.granted)

    @admin.display(description=_("Expires"), ordering="expires_at")
    def expires(self, api_key: ApiKey) -> str:
        return exact(api_key.expires_at) or gettext("never")

    @admin.display(description=_("Last used"), ordering="last_used_at")
    def last_used(self, api_key: ApiKey) -> str:
        return time_tag(api_key.last_used_at)

    @admin.display(description=_("State"))
    def state(self, api_key: ApiKey) -> str:
        return state_pill(api_key)


def _spent(api_key: ApiKey) -> dict[str, Any]:
    """Returns the tokens of this month, and of its budget the percentage, if the key has one."""
    month = timezone.now().date().replace(day=1)
    usage = TokenUsage.objects.filter(api_key=api_key, month=month).first()
    tokens, budget = usage.tokens if usage else 0, api_key.tokens_per_month
    return {
        "tokens": tokens,
        "budget": budget,
        "percent": min(100, tokens * 100 // budget) if budget else None,
    }


def state_pill(api_key: ApiKey) -> str:
    now, expires_at = timezone.now(), api_key.expires_at
    if api_key.is_disabled:
        return pill(_("disabled"), "block", "danger")
    if expires_at is not None and expires_at <= now:
        return pill(_("expired"), "event_busy", "danger")
    if expires_at is not None and expires_at <= now + SOON:
        return pill(_("expires soon"), "schedule", "warning")
    if api_key.previous_key_until is not None and api_key.previous_key_until > now:
        told = gettext("The old key works until %(time)s") % {"time": exact(api_key.previous_key_until)}
        return pill(_("rotating"), "autorenew", "info", title=told)
    return pill(_("active"), "check_circle", "success")


def _for_verbs(fields: Fields) -> dict[str, Any]:
    """Returns the fields of the form as the verbs take them."""
    taken = {name: value for name, value in fields.items() if name not in ("expiry", "assistants")}
    granted: Sequence[Any] | None = fields.get("assistants")
    return taken if granted is None else {**taken, "assistant_ids": [each.pk for each in granted]}
