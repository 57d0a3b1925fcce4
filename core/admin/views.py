"""The base class of the console's pages that belong to no model, or to one row of it."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.mixins import PermissionRequiredMixin
from django.views.generic import TemplateView


class ConsolePage(PermissionRequiredMixin, TemplateView):
    """A page with the console's frame, for users with all of `permission_required` (403 for others).

    `title` is its heading. Subclasses name a template that extends `admin/base_site.html`, and extend
    `get_context_data`: an `object` in the context is the row that the page is about. Routes are wrapped with
    `admin.site.admin_view` by `config/admin_site.py`, so that visitors who are not logged in are sent to the
    login.
    """

    title: Any = ""
    raise_exception = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            **{**admin.site.each_context(self.request), "title": self.title, **kwargs}
        )
