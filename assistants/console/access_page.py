"""The tab Access: which keys may call an assistant, and why one of them cannot."""

from collections.abc import Iterator
from typing import Any, ClassVar

from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _

from apikeys.models import ApiKey
from assistants import access, actions
from assistants.access import Reason
from assistants.console.assistant_page import AssistantPage
from core.actor import Actor
from core.admin.refusals import REFUSALS, text_of
from core.admin.verbs import VERSION, refuse_if_changed_meanwhile

_A_PAGE, _MOST_FOUND, _LONGEST_QUERY = 50, 20, 200


class AccessPage(AssistantPage):
    permission_required: Any = ("assistants.view_assistant", "apikeys.view_apikey")
    template_name = "console/assistant/access.html"
    tab: ClassVar[str] = "access"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        granted = ApiKey.objects.filter(assistants=self.assistant).order_by("name", "pk")
        page = Paginator(granted, _A_PAGE).get_page(self.request.GET.get("page"))
        query = self.request.GET.get("q", "").replace("\0", "")[:_LONGEST_QUERY].strip()
        shown = {
            "page": page,
            "keys": [(key, list(self._reasons(key))) for key in page],
            "query": query,
            "found": self._others(query) if self.can_change else [],
            "seen_version": self.assistant.version,
            "version_field": VERSION,
        }
        return super().get_context_data(**{**shown, **kwargs})

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Adds the key `add`, or removes the key `remove`."""
        self.require_change()
        try:
            with transaction.atomic():
                refuse_if_changed_meanwhile(request, self.assistant)
                self._change(request)
        except REFUSALS as error:
            messages.error(request, text_of(error))
        return redirect("admin:assistant_access", pk)

    def _change(self, request: HttpRequest) -> None:
        is_added = "add" in request.POST
        wanted = request.POST.get("add" if is_added else "remove", "")
        key = get_object_or_404(ApiKey, pk=int(wanted) if wanted.isdecimal() and len(wanted) < 19 else 0)
        others = set(self.assistant.api_keys.exclude(pk=key.pk))
        actions.update(self.assistant, by=Actor.of(request), api_keys=others | {key} if is_added else others)
        told = _("%(key)s may call it now.") if is_added else _("%(key)s may not call it any more.")
        messages.success(request, told % {"key": key.name})

    def _reasons(self, key: ApiKey) -> Iterator[Reason]:
        """Yields why a key that was given the assistant cannot call it."""
        yield from access.key_reasons(key)
        if not self.assistant.is_enabled:
            yield Reason.ASSISTANT_DISABLED

    def _others(self, query: str) -> QuerySet[ApiKey]:
        """Returns keys that may not call it, with the text in their name or prefix."""
        named = ApiKey.objects.filter(Q(name__icontains=query) | Q(key_prefix__icontains=query))
        return named.exclude(assistants=self.assistant).order_by("name", "pk")[:_MOST_FOUND]
