"""The console's list of runs, and the page of each. See `assistants.admin.waterfall` for what it draws."""

from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import (
    AutocompleteSelectFilter,
    ChoicesDropdownFilter,
    TextFilter,
)
from unfold.paginator import InfinitePaginator

from apikeys.models import ApiKey
from assistants.admin.run_page import page_of
from assistants.admin.run_states import look_of
from assistants.models import Run, ToolCall
from core.admin.filters import PeriodFilter
from core.admin.numbers import duration, short, whole
from core.admin.pages import ReadOnlyAdmin
from core.admin.pills import pill
from core.admin.text import shown
from core.admin.times import time_tag
from tools.models import MCPTool

BODIES = "assistants.view_run_bodies"


class ToolFilter(TextFilter):  # type: ignore[misc]
    """Runs that called a tool: the name of a tool, of a server, or of both."""

    title = _("tool or server")
    parameter_name = "tool"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Run]) -> QuerySet[Run]:
        text = (self.value() or "").strip()
        if not text:
            return queryset
        server, _space, function = text.rpartition(" ")
        of_server = MCPTool.objects.filter(name=text).values("pk")
        named = Q(function=text) | Q(function=function, server=server) | Q(mcp_tool__in=of_server)
        return queryset.filter(pk__in=ToolCall.objects.filter(named).order_by().values("run"))


class ErrorFilter(TextFilter):  # type: ignore[misc]
    """Runs that failed so, or one of whose tool calls did."""

    title = _("error")
    parameter_name = "error"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Run]) -> QuerySet[Run]:
        text = (self.value() or "").strip()
        if not text:
            return queryset
        calls = ToolCall.objects.filter(run=OuterRef("pk"), error__icontains=text)
        return queryset.filter(Q(error__icontains=text) | Exists(calls))


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin[Run]):
    """Runs are read-only. Texts of requests, answers and calls need the permission to read them."""

    when_empty = _("Every request to an assistant is listed here. Chat in the playground to see one.")
    list_display = [
        "started",
        "kind_name",
        "assistant_name",
        "key",
        "state",
        "calls",
        "tokens",
        "first_token",
        "took",
    ]
    list_display_links = ["started"]
    list_filter = [
        ("kind", ChoicesDropdownFilter),
        ("status", ChoicesDropdownFilter),
        ("assistant", AutocompleteSelectFilter),
        ("api_key", AutocompleteSelectFilter),
        ToolFilter,
        ErrorFilter,
        ("started_at", PeriodFilter),
    ]
    list_filter_submit = True
    # Neither is counted: there may be hundreds of thousands. The sort is that of an index.
    paginator = InfinitePaginator
    show_full_result_count = False
    sortable_by = ()
    search_fields = ["run_id"]
    search_help_text = _("The id of a run or of a request, or the name of an API key.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Run]:
        return Run.objects.defer("request", "answer", "selection", "model_rounds", "unavailable")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Run], search_term: str
    ) -> tuple[QuerySet[Run], bool]:
        text = search_term.strip()
        if not text:
            return queryset, False
        keys = ApiKey.objects.filter(name__iexact=text).values("pk")
        return queryset.filter(Q(run_id=text) | Q(request_id=text) | Q(api_key__in=keys)), False

    @admin.display(description=_("Started"))
    def started(self, run: Run) -> str:
        return time_tag(run.started_at)

    @admin.display(description=_("Kind"))
    def kind_name(self, run: Run) -> str:
        return run.get_kind_display()

    @admin.display(description=_("Assistant"))
    def assistant_name(self, run: Run) -> str | None:
        return run.assistant_slug or None

    @admin.display(description=_("Key"))
    def key(self, run: Run) -> str:
        return shown(run.api_key_name or run.username, most=80)

    @admin.display(description=_("State"))
    def state(self, run: Run) -> str:
        icon, tone = look_of(run.status)
        return pill(run.get_status_display(), icon, tone, title=run.error)

    @admin.display(description=_("Tool calls"))
    def calls(self, run: Run) -> str:
        return whole(run.server_tool_calls)

    @admin.display(description=_("Tokens"))
    def tokens(self, run: Run) -> str | None:
        return short(run.total_tokens) if run.is_chat else None

    @admin.display(description=_("First token"))
    def first_token(self, run: Run) -> str | None:
        return duration(run.first_token_ms) if run.is_chat else None

    @admin.display(description=_("Took"))
    def took(self, run: Run) -> str:
        return duration(run.duration_ms)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """The page of a run: reading it needs no form."""
        run = self.get_object(request, object_id)
        if run is None or not self.has_view_permission(request, run):
            return super().change_view(request, object_id, form_url, extra_context)
        context = {
            **self.admin_site.each_context(request),
            **page_of(run, request, with_bodies=request.user.has_perm(BODIES)),
            "opts": self.opts,
            "title": _("Run"),
        }
        return TemplateResponse(request, "admin/assistants/run/page.html", context)
