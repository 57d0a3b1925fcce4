"""The console's pages of webhooks. A webhook's secret is shown once, when it is made or rotated."""

from typing import Any, cast

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextInputWidget

from apikeys.models import EventType
from assistants import actions
from assistants.admin import deliveries
from assistants.models import Delivery, DeliveryState, Webhook
from core.actor import Actor
from core.admin.pills import pill
from core.admin.refusals import VerbForm, refusals_in
from core.admin.text import shown
from core.admin.times import time_tag
from core.admin.verbs import VERSION, Fields, VerbAdmin, refuse_if_changed_meanwhile

__all__ = ["WebhookAdmin", "deliveries"]


class WebhookForm(VerbForm[Webhook]):
    url = forms.CharField(
        label=_("Address (URL)"),
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "https://hooks.example.org/…"}),
        help_text=_(
            "Where events are sent to. Parts that look secret are kept encrypted, and shown as ********."
        ),
    )
    events = forms.MultipleChoiceField(
        choices=EventType.choices,
        label=_("Events"),
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=_(
            "What it is told about. No arguments of calls and no texts are sent: a link to this console."
        ),
    )

    class Meta:
        model = Webhook
        fields = ["name", "url", "events", "is_enabled"]
        labels = {"is_enabled": _("On")}
        help_texts = {
            "name": _("Who or what is told, for instance the name of a channel."),
            "is_enabled": _("Off: it is told nothing, and what still waited for it is given up."),
        }


@admin.register(Webhook)
class WebhookAdmin(VerbAdmin[Webhook]):
    form = WebhookForm
    when_empty = _(
        "A webhook tells a program or a chat of yours that a call waits, or that a server is down."
    )
    list_display = ["name", "shown_url", "told_about", "state", "last_told"]
    list_filter = ["is_enabled"]
    search_fields = ["name"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Webhook]:
        latest = Delivery.objects.filter(webhook=OuterRef("pk")).order_by("-id")
        return Webhook.objects.annotate(
            last_state=Subquery(latest.values("state")[:1]), last_at=Subquery(latest.values("created_at")[:1])
        )

    def get_urls(self) -> list[URLPattern]:
        rotate = self.admin_site.admin_view(self.rotate)
        return [path("<int:pk>/rotate/", rotate, name="assistants_webhook_rotate"), *super().get_urls()]

    def perform_create(self, request: HttpRequest, fields: Fields) -> Webhook:
        made = actions.add_webhook(by=Actor.of(request), **fields)
        cast(Any, request).made = made  # for `response_add`, and nothing that outlives the request
        return made

    def perform_update(self, request: HttpRequest, row: Webhook, changes: Fields) -> object:
        return actions.update_webhook(row, by=Actor.of(request), **changes)

    def perform_destroy(self, request: HttpRequest, row: Webhook) -> object:
        return actions.delete_webhook(row, by=Actor.of(request))

    def response_add(
        self, request: HttpRequest, obj: Webhook, post_url_continue: str | None = None
    ) -> HttpResponse:
        return self._reveal(request, cast(Any, request).made)

    def rotate(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Asks, and gives the webhook a new secret: once, if the form is sent twice."""
        webhook = self.get_object(request, str(pk))
        if not self.has_change_permission(request, webhook):
            raise PermissionDenied
        if webhook is None:
            raise Http404
        form = forms.Form(request.POST if request.method == "POST" else None)
        if form.is_valid():
            with refusals_in(form):
                refuse_if_changed_meanwhile(request, webhook)
                return self._reveal(request, actions.rotate_webhook_secret(webhook, by=Actor.of(request)))
        title = gettext("New secret for %(name)s") % {"name": webhook}
        context = {"title": title, "original": webhook, "form": form, VERSION: webhook.version}
        return self._page(request, "rotate", context)

    def _reveal(self, request: HttpRequest, webhook: Webhook) -> HttpResponse:
        """Shows the secret in this one response: a redirect would have to carry it."""
        context = {"title": gettext("Copy the secret now"), "original": webhook, "secret": webhook.secret}
        response = self._page(request, "issued", context)
        response.headers["Cache-Control"] = "no-store"
        return response

    def _page(self, request: HttpRequest, name: str, context: dict[str, Any]) -> TemplateResponse:
        shared = {**self.admin_site.each_context(request), "opts": self.opts}
        return TemplateResponse(request, f"admin/assistants/webhook/{name}.html", shared | context)

    @admin.display(description=_("Address"))
    def shown_url(self, webhook: Webhook) -> str:
        return shown(webhook.url, most=80)

    @admin.display(description=_("Events"))
    def told_about(self, webhook: Webhook) -> str:
        known = dict(EventType.choices)
        return "; ".join(str(known.get(each, each)) for each in webhook.events)

    @admin.display(description=_("State"))
    def state(self, webhook: Any) -> str:
        if not webhook.is_enabled:
            return pill(_("Off"), "block", "neutral")
        match webhook.last_state:
            case DeliveryState.FAILED:
                return pill(
                    _("Failing"), "error", "danger", title=_("The last event could not be delivered.")
                )
            case DeliveryState.WAITING:
                return pill(_("Sending"), "schedule_send", "info")
        return pill(_("On"), "check_circle", "success")

    @admin.display(description=_("Last event"))
    def last_told(self, webhook: Any) -> str:
        return time_tag(webhook.last_at)
