"""The console's site: unfold's admin site, with the pages that belong to no model."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.dataclasses import SearchResult
from unfold.sites import UnfoldAdminSite

from apikeys import people
from assistants.console import commands
from core.actor import Actor

MOST_RESULTS = 100


class ConsoleSite(UnfoldAdminSite):  # type: ignore[misc]
    index_title = _("Overview")
    pages: Sequence[URLPattern] = ()
    """Routes of the apps' own pages, below /admin/. config/urls.py sets them."""

    def extra_urls(self) -> list[URLPattern]:
        """Returns the routes of the apps' own pages, for who is logged in. unfold asks for them."""
        return [
            path(str(route.pattern), self.admin_view(route.callback), name=route.name) for route in self.pages
        ]

    def search(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """Ctrl-K. unfold's own keeps results for five minutes, and so shows what somebody may see no more."""
        term = request.GET.get("s", "")
        results = [*self._pages(request, term), *commands.find(request, term)] if term.strip() else []
        context = {"results": results[:MOST_RESULTS]}
        headers = {"HX-Trigger": "search", "Cache-Control": "no-store"}
        return TemplateResponse(request, "console/command_results.html", context, headers=headers)

    def _pages(self, request: HttpRequest, term: str) -> list[SearchResult]:
        """Returns the pages of the sidebar whose title contains the term."""
        items = [item for group in self.get_sidebar_list(request) for item in group["items"]]
        found = [
            item
            for item in items
            if item["has_permission"] and term.strip().lower() in str(item["title"]).lower()
        ]
        return [
            SearchResult(
                title=str(item["title"]),
                description=gettext("Page"),
                link=str(item["link"]),
                icon=item["icon"],
            )
            for item in found
        ]

    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Changes one's own password: Django ends one's other sessions."""
        person: Any = request.user
        response: HttpResponse = super().password_change(request, extra_context)
        if request.method == "POST" and response.status_code == 302:
            people.password_changed(person, by=Actor.of(request))
        return response

    def get_sidebar_list(self, request: HttpRequest) -> list[dict[str, Any]]:
        """Returns the groups of the sidebar, without badges that have nothing to say."""
        groups: list[dict[str, Any]] = super().get_sidebar_list(request)
        for item in (item for group in groups for item in group["items"]):
            if "badge_callback" in item and not str(item["badge_callback"]):
                item["badge"] = ""
        return groups
