"""The page Needs you, and what its buttons post to."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _

from assistants.console import inbox, remedies
from core.admin.refusals import REFUSALS, text_of
from core.admin.views import ConsolePage


class NeedsYouPage(ConsolePage):
    """For all staff: each source shows its items to those who may see them."""

    title = _("Needs you")
    template_name = "console/inbox.html"
    permission_required = ()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user = self.request.user
        sections = [_section(source, user) for source in inbox.seen_by(user)]
        return super().get_context_data(sections=[each for each in sections if each["items"]], **kwargs)


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
