"""The console's pages of MCP servers and their tools."""

from collections.abc import Sequence
from dataclasses import astuple
from typing import Any

from asgiref.sync import async_to_sync
from django import forms
from django.contrib import admin, messages
from django.db.models import Case, CharField, FloatField, QuerySet, Value, When
from django.http import HttpRequest, HttpResponse
from django.utils.text import Truncator

from core.actor import Actor
from core.admin import Fields, MaskedInline, ReadOnlyAdmin, VerbAdmin, VerbForm
from core.forms import JSONField
from tools import actions
from tools.models import MCPTool, ToolFunction
from tools.search import EVERYTHING, Hit, index, search

MOST_HITS = 100


class MCPToolForm(VerbForm[MCPTool]):
    """Shows secrets masked. A mask that is sent back leaves the stored secret as it is."""

    args = JSONField(required=False, help_text="A JSON list of strings. Kept encrypted.")
    env = JSONField(required=False, help_text="Variables, as a JSON object. Kept encrypted.")
    url = forms.CharField(required=False, label="URL", help_text="Kept encrypted.")
    headers = JSONField(required=False, help_text="HTTP headers, as a JSON object. Kept encrypted.")

    class Meta:
        model = MCPTool
        fields = [
            "name", "slug", "description", "connection_type", "command", "args", "env", "url", "headers",
            "start_timeout_s", "call_timeout_s", "approval", "is_enriched", "replicas", "is_enabled",
        ]  # fmt: skip

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        for name, field in MCPTool.secret_fields().items():
            if name in cleaned and cleaned[name] in forms.Field.empty_values:
                cleaned[name] = field.get_default()
        return cleaned


class ToolFunctionInline(MaskedInline[ToolFunction, MCPTool]):
    model = ToolFunction
    fields = ["public_name", "title", "description", "is_enabled", "removed_at"]
    readonly_fields = ["public_name", "title", "description", "is_enabled", "removed_at"]
    extra = 0
    can_delete = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[ToolFunction]:
        return ToolFunction.objects.without_vectors()

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(MCPTool)
class MCPToolAdmin(VerbAdmin[MCPTool]):
    form = MCPToolForm
    inlines = [ToolFunctionInline]
    list_display = ["name", "connection_type", "status", "error_message", "is_enabled", "last_healthy_at"]
    list_filter = ["status", "connection_type", "is_enabled"]
    search_fields = ["name", "slug", "description"]
    actions = ["start", "stop", "restart"]

    def get_readonly_fields(self, request: HttpRequest, obj: MCPTool | None = None) -> list[str]:
        return ["slug"] if obj else []

    def get_queryset(self, request: HttpRequest) -> QuerySet[MCPTool]:
        return MCPTool.objects.present().without_vectors()

    def perform_create(self, request: HttpRequest, fields: Fields) -> MCPTool:
        return actions.register(by=Actor.of(request), **fields)

    def perform_update(self, request: HttpRequest, row: MCPTool, changes: Fields) -> object:
        return actions.update(row, by=Actor.of(request), **changes)

    def perform_destroy(self, request: HttpRequest, row: MCPTool) -> object:
        # Forced, as by `?force=true` in REST: the page of confirmation has listed the assistants that use it.
        return actions.delete(row, by=Actor.of(request), force=True)

    @admin.action(description="Start", permissions=["change"])
    def start(self, request: HttpRequest, queryset: QuerySet[MCPTool]) -> None:
        for server in queryset:
            actions.start(server, by=Actor.of(request))

    @admin.action(description="Stop", permissions=["change"])
    def stop(self, request: HttpRequest, queryset: QuerySet[MCPTool]) -> None:
        for server in queryset:
            actions.stop(server, by=Actor.of(request))

    @admin.action(description="Restart", permissions=["change"])
    def restart(self, request: HttpRequest, queryset: QuerySet[MCPTool]) -> None:
        for server in queryset:
            actions.restart(server, by=Actor.of(request))


@admin.register(ToolFunction)
class ToolFunctionAdmin(ReadOnlyAdmin[ToolFunction]):
    """Read only. It searches as selection does for models: the best hits come first."""

    list_display = ["public_name", "server", "shown_description", "is_enabled", "score", "why"]
    list_filter = ["is_enabled"]
    list_select_related = ["server"]
    search_fields = ["public_name"]
    search_help_text = "What is a tool wanted for? Finds those that a model may be given."
    sortable_by = ()  # the order is that of the search
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[ToolFunction]:
        return ToolFunction.objects.present().filter(server__deleted_at=None).without_vectors()

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[ToolFunction], search_term: str
    ) -> tuple[QuerySet[ToolFunction], bool]:
        if not search_term.strip():
            return queryset, False
        found = async_to_sync(search)(search_term, EVERYTHING, limit=MOST_HITS)
        if found.degraded:
            self.message_user(request, f"Found by words alone: {found.degraded}", messages.WARNING)
        return _ranked(queryset, found.hits), False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        progress = index.progress()
        title = f"Tools: {progress.functions}, {progress.indexed} of them indexed"
        embedded = f", {progress.embedded} embedded by {progress.embedder}" if progress.embedder else ""
        subtitle = {"title": f"{title}{embedded}. {progress.degraded}".strip()}
        return super().changelist_view(request, {**subtitle, **(extra_context or {})})

    @admin.display(description="Description")
    def shown_description(self, function: ToolFunction) -> str:
        return Truncator(function.overrides.get("description") or function.description).chars(120)

    @admin.display
    def score(self, function: ToolFunction) -> str:
        return _shown(getattr(function, "hit_score", None))

    @admin.display(description="Meaning, words, uses")
    def why(self, function: ToolFunction) -> str:
        return getattr(function, "hit_why", "")


def _ranked(queryset: QuerySet[ToolFunction], hits: Sequence[Hit]) -> QuerySet[ToolFunction]:
    """Returns the hits as a queryset, which the admin wants, with their scores as annotations."""
    ids = [hit.function_id for hit in hits]
    whys = [When(pk=hit.function_id, then=Value(" + ".join(map(_shown, astuple(hit.why))))) for hit in hits]
    scores = [When(pk=hit.function_id, then=Value(hit.score)) for hit in hits]
    found = queryset.filter(pk__in=ids).annotate(
        hit_score=Case(*scores, output_field=FloatField()),
        hit_why=Case(*whys, output_field=CharField()),
    )
    return found.order_by("-hit_score", "pk")


def _shown(number: float | None) -> str:
    return "" if number is None else f"{number:.3f}"
