"""What may this key do, and why not: each tool of each assistant, by the rules of REST's `/access`."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.core.paginator import Page, Paginator
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apikeys.admin.keys import state_pill
from apikeys.models import ApiKey
from assistants import access
from assistants.access import AssistantAccess, Reason
from assistants.models import Assistant, Run
from core.admin.views import ConsolePage

ASSISTANTS_A_PAGE = 10
MOST_ROWS = 300
"""Rows on one page: an assistant may have thousands of tools, and its search box finds any of them."""


@dataclass(frozen=True, slots=True)
class Row:
    """A tool of an assistant; without `tool`, an assistant that has none. `why_not`: empty if the key may."""

    assistant: Assistant
    server: str
    tool: str
    why_not: tuple[str, ...]


def rows_of(reaches: Iterable[AssistantAccess]) -> Iterator[Row]:
    for reach in reaches:
        tools = list(_tools(reach))
        yield from tools or [Row(reach.assistant, "", "", _told(reach.reasons))]


def _tools(reach: AssistantAccess) -> Iterator[Row]:
    for server in reach.servers:
        for function in server.functions:
            reasons = (*reach.reasons, *server.reasons, *function.reasons)
            yield Row(reach.assistant, server.server.name, function.public_name, _told(reasons))


def _told(reasons: Iterable[Reason]) -> tuple[str, ...]:
    return tuple(str(reason.label) for reason in reasons)


class KeyAccess(ConsolePage):
    """`assistant` in the address narrows to one by its slug, `q` to tools and servers by a part of a name."""

    permission_required = ("apikeys.view_apikey", "assistants.view_assistant", "tools.view_toolfunction")
    template_name = "console/key_access.html"
    title = _("What may this key do?")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        api_key = ApiKey.objects.filter(pk=kwargs["pk"]).first()
        if api_key is None:
            raise Http404
        search, slug = self._asked("q"), self._asked("assistant")
        page = self._page(search, slug)
        shown = list(islice(_searched(api_key, page, search), MOST_ROWS + 1))
        month = timezone.now().replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        usage = Run.objects.filter(api_key=api_key).since(month).usage(["api_key"]).first()
        return super().get_context_data(
            **kwargs,
            subtitle=api_key.name,
            api_key=api_key,
            object=api_key,
            state=state_pill(api_key),
            usage=usage,
            rows=shown[:MOST_ROWS],
            is_cut=len(shown) > MOST_ROWS,
            most=MOST_ROWS,
            page=page,
            search=search,
            slug=slug,
            slugs=Assistant.objects.order_by("slug").values_list("slug", "name"),
        )

    def _asked(self, name: str) -> str:
        return self.request.GET.get(name, "").replace("\0", "").strip()[:200]

    def _page(self, search: str, slug: str) -> Page[Assistant]:
        assistants = access.assistants(search)
        chosen = assistants.filter(slug=slug) if slug else assistants
        return Paginator(chosen, ASSISTANTS_A_PAGE).get_page(self.request.GET.get("p"))


def _searched(api_key: ApiKey, page: Page[Assistant], search: str) -> Iterator[Row]:
    rows = rows_of(access.to_assistant(api_key, assistant) for assistant in page)
    return (row for row in rows if row.tool) if search else rows
