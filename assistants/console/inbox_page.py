"""The page Needs you, and what its buttons post to."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _

from assistants.console import approval_changes, inbox, remedies
from core.admin.refusals import REFUSALS, text_of
from core.admin.views import ConsolePage


class NeedsYouPage(ConsolePage):
    """For all staff: each source shows its items to those who may see them."""

    title = _("Needs you")
    template_name = "console/inbox.html"
    permission_required = ()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user = self.request.user
        seen = inbox.seen_by(user)
        sections = [_section(source, user) for source in seen if source is not inbox.WAITING_CALLS]
        waiting = _section(inbox.WAITING_CALLS, user) if inbox.WAITING_CALLS in seen else None
        others = [each for each in sections if each["items"]]
        return super().get_context_data(sections=others, waiting=waiting, **kwargs)


class WaitingCallsPart(ConsolePage):
    """The part of the page that shows calls which wait, and how many items there are in all."""

    permission_required = "assistants.view_approval"
    template_name = "console/inbox_calls.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        waiting = _section(inbox.WAITING_CALLS, self.request.user)
        return {"waiting": waiting, "badge": inbox.badge(self.request)}

    def render_to_response(self, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        headers = {approval_changes.HEADER: approval_changes.address()}
        return super().render_to_response(context, headers=headers, **kwargs)


class RemedyView(ConsolePage):
    """POST mends one item, and leads back to the page."""

    permission_required = ()
    http_method_names = ["post"]

    def post(self, request: HttpRequest, name: str, pk: int) -> HttpResponse:
        try:
            messages.success(request, remedies.perform(request, name, pk))
        except REFUSALS as refusal:
            messages.error(request, text_of(refusal))
        return redirect("admin:needs_you")


def _section(source: inbox.Source, user: Any) -> dict[str, Any]:
    items = source.items(user)
    more = source.rows().count() - len(items) if len(items) == inbox.MOST else 0
    return {"title": source.title, "icon": source.icon, "items": items, "more": more}
