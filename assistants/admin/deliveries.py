"""The console's log of what webhooks were told, or could not be."""

import json
from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.paginator import InfinitePaginator

from assistants import actions
from assistants.models import Delivery, DeliveryState
from core.actor import Actor
from core.admin.buttons import posted
from core.admin.filters import PeriodFilter
from core.admin.pages import ReadOnlyAdmin
from core.admin.pills import Tone, pill
from core.admin.refusals import REFUSALS, text_of
from core.admin.text import shown
from core.admin.times import time_tag

_LOOKS: dict[str, tuple[str, Tone]] = {
    DeliveryState.WAITING: ("schedule_send", "info"),
    DeliveryState.DELIVERED: ("check_circle", "success"),
    DeliveryState.FAILED: ("error", "danger"),
}


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin[Delivery]):
    """Each event to each webhook, with its attempts."""

    when_empty = _("What webhooks are told is listed here, with what became of it.")
    list_display = ["event_name", "webhook", "about", "shown_state", "attempts", "answer", "created"]
    list_select_related = ["event", "webhook"]
    list_filter = [
        ("state", ChoicesDropdownFilter),
        ("webhook", RelatedDropdownFilter),
        ("created_at", PeriodFilter),
    ]
    list_filter_submit = True
    paginator = InfinitePaginator
    show_full_result_count = False
    sortable_by = ()
    actions_row = ["send_again"]
    actions_detail = ["send_again"]
    fields = [
        "event_name", "webhook", "shown_state", "attempts", "answer", "last_attempt_at", "next_attempt_at",
        "message_id", "sent",
    ]  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        return Delivery.objects.select_related("event", "webhook").defer(
            "webhook__url", "webhook__secret", "webhook__previous_secret"
        )

    def has_resend_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("assistants.change_webhook"))

    @posted(description=_("Send again"), url_path="resend", icon="replay", permissions=["resend"])
    def send_again(self, request: HttpRequest, object_id: str) -> HttpResponse:
        delivery = self.get_object(request, object_id)
        if delivery is None:
            raise Http404
        try:
            with transaction.atomic():
                actions.resend_delivery(delivery, by=Actor.of(request))
        except REFUSALS as error:
            messages.error(request, text_of(error))
        else:
            messages.success(request, _("It is sent again, under the same id."))
        return redirect("admin:assistants_delivery_changelist")

    @admin.display(description=_("Event"))
    def event_name(self, delivery: Delivery) -> str:
        return delivery.event.get_type_display()

    @admin.display(description=_("About"))
    def about(self, delivery: Delivery) -> str:
        return shown(delivery.event.data.get("name") or "", most=120)

    @admin.display(description=_("State"))
    def shown_state(self, delivery: Delivery) -> str:
        icon, tone = _LOOKS.get(delivery.state, ("help", "neutral"))
        return pill(delivery.get_state_display(), icon, tone)

    @admin.display(description=_("Last answer"))
    def answer(self, delivery: Delivery) -> str:
        status = f"HTTP {delivery.status_code}" if delivery.status_code else ""
        return shown(" ".join(filter(None, [status, delivery.error])), most=300)

    @admin.display(description=_("Created"))
    def created(self, delivery: Delivery) -> str:
        return time_tag(delivery.created_at)

    @admin.display(description=_("Id"))
    def message_id(self, delivery: Delivery) -> str:
        return delivery.event.message_id

    @admin.display(description=_("What is sent"))
    def sent(self, delivery: Delivery) -> str:
        data = json.dumps(delivery.event.data, indent=2, ensure_ascii=False)
        return format_html('<pre class="output">{}</pre>', shown(data, most=20_000))
