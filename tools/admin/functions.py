"""The console's pages of tools."""

from collections.abc import Sequence
from typing import Any

from asgiref.sync import async_to_sync
from django.contrib import admin, messages
from django.db.models import Case, CharField, FloatField, Q, QuerySet, Value, When
from django.http import HttpRequest, HttpResponse
from django.utils.text import Truncator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from core.admin.pages import ReadOnlyAdmin
from core.admin.text import shown
from tools.models import Label, ToolFunction
from tools.search import EVERYTHING, Hit, index, search

MOST_HITS = 100


class LabelFilter(admin.SimpleListFilter):
    """Tools with a label of their own, or of their server where they have none."""

    title, parameter_name = _("label"), "label"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(Label.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[ToolFunction]) -> QuerySet[ToolFunction]:
        if self.value() not in Label.values:
            return queryset
        named = [self.value()]
        of_server = Q(labels__isnull=True, server__labels__contains=named)
        return queryset.filter(Q(labels__contains=named) | of_server)


@admin.register(ToolFunction)
class ToolFunctionAdmin(ReadOnlyAdmin[ToolFunction]):
    """Read only. It searches as selection does for models: the best hits come first."""

    list_display = ["public_name", "server", "shown_description", "is_enabled", "score", "why"]
    is_audited = True
    of_search = ("score", "why")
    when_empty = _("Tools are listed once the server that offers them runs.")
    list_filter = ["is_enabled", LabelFilter]
    list_select_related = ["server"]
    search_fields = ["public_name"]
    search_help_text = _("What is a tool wanted for? Finds those that a model may be given.")
    sortable_by = ()  # the order is that of the search
    show_full_result_count = False

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        is_searched = request.GET.get("q", "").strip()
        return [name for name in self.list_display if is_searched or name not in self.of_search]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ToolFunction]:
        return ToolFunction.objects.present().filter(server__deleted_at=None).without_vectors()

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[ToolFunction], search_term: str
    ) -> tuple[QuerySet[ToolFunction], bool]:
        if not search_term.strip():
            return queryset, False
        found = async_to_sync(search)(search_term, EVERYTHING, limit=MOST_HITS)
        if found.degraded:
            self.message_user(
                request, gettext("Found by words alone: %(why)s") % {"why": found.degraded}, messages.WARNING
            )
        return _ranked(queryset, found.hits), False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().changelist_view(request, {"title": _title(), **(extra_context or {})})

    @admin.display(description=_("Description"))
    def shown_description(self, function: ToolFunction) -> str:
        text = function.overrides.get("description") or function.description
        return Truncator(shown(text)).chars(120)

    @admin.display(description=_("Score"))
    def score(self, function: ToolFunction) -> str:
        return _shown(getattr(function, "hit_score", None))

    @admin.display(description=_("Meaning, words, uses"))
    def why(self, function: ToolFunction) -> str:
        return getattr(function, "hit_why", "")


def _title() -> str:
    """Returns how far the index is: without it the search finds less."""
    progress = index.progress()
    title = gettext("Tools: %(functions)s, indexed: %(indexed)s") % {
        "functions": progress.functions,
        "indexed": progress.indexed,
    }
    embedded = {"embedded": progress.embedded, "embedder": progress.embedder}
    if progress.embedder:
        title += gettext(", embedded by %(embedder)s: %(embedded)s") % embedded
    return f"{title}. {gettext(progress.degraded)}".strip()


def _ranked(queryset: QuerySet[ToolFunction], hits: Sequence[Hit]) -> QuerySet[ToolFunction]:
    """Returns the hits as a queryset, which the admin wants, with their scores as annotations."""
    ids = [hit.function_id for hit in hits]
    whys = [When(pk=hit.function_id, then=Value(" + ".join(map(_shown, hit.why)))) for hit in hits]
    scores = [When(pk=hit.function_id, then=Value(hit.score)) for hit in hits]
    found = queryset.filter(pk__in=ids).annotate(
        hit_score=Case(*scores, output_field=FloatField()),
        hit_why=Case(*whys, output_field=CharField()),
    )
    return found.order_by("-hit_score", "pk")


def _shown(number: float | None) -> str:
    return "" if number is None else f"{number:.3f}"
