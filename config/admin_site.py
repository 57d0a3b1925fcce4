"""The console's site: unfold's admin site, with the pages that belong to no model."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _
from unfold.sites import UnfoldAdminSite

from apikeys import people
from core.actor import Actor


class ConsoleSite(UnfoldAdminSite):  # type: ignore[misc]
    index_title = _("Overview")
    pages: Sequence[URLPattern] = ()
    """Routes of the apps' own pages, below /admin/. config/urls.py sets them."""

    def extra_urls(self) -> list[URLPattern]:
        """Returns the routes of the apps' own pages, for who is logged in. unfold asks for them."""
        return [
            path(str(route.pattern), self.admin_view(route.callback), name=route.name) for route in self.pages
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
