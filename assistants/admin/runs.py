"""Runs in the admin."""

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join

from assistants.models import Run, ToolCall
from core.admin.pages import MaskedInline, ReadOnlyAdmin


class ToolCallInline(MaskedInline[ToolCall, Run]):
    model = ToolCall
    fields = ["server", "function", "status", "duration_ms", "error"]
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Run | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Run | None = None) -> bool:
        return False


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin[Run]):
    """Runs are read-only, and shown without the texts of requests, answers and tool calls."""

    inlines = [ToolCallInline]
    list_display = ["run_id", "assistant_slug", "api_key_name", "status", "rounds", "started_at"]
    list_filter = ["status", "assistant_slug"]
    search_fields = ["run_id", "request_id", "api_key_name"]
    fields = [
        "run_id", "request_id", "api_key_name", "assistant_slug", "model", "status", "error", "rounds",
        "prompt_tokens", "completion_tokens", "usage_estimated", "started_at", "first_token_ms",
        "duration_ms", "chosen_tools",
    ]  # fmt: skip
    readonly_fields = ["chosen_tools"]

    @admin.display(description="Tools chosen")
    def chosen_tools(self, run: Run) -> str:
        if run.selection is None:
            return "All of them were given."
        shown = ("mode", "k", "cutoff", "tokens", "budget", "tokens_all", "embedder", "degraded")
        summary = ", ".join(f"{name} {run.selection[name]}" for name in shown if run.selection[name])
        rows = (
            (each["public_name"], each["reason"], each["score"] or "", "given" if each["chosen"] else "")
            for each in run.selection["candidates"]
        )
        cells = "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>"
        return format_html("<p>{}</p><table>{}</table>", summary, format_html_join("", cells, rows))
