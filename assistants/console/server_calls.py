"""The page of a server's latest calls, by assistants: when, which tool, how it went, how long it took."""

from typing import Any

from django.shortcuts import get_object_or_404

from assistants.models import ToolCall
from core.admin.pills import Tone
from core.admin.views import ConsolePage
from tools.models import MCPTool

SHOWN = 50
_LOOKS: dict[str, tuple[str, Tone]] = {
    ToolCall.Status.OK: ("check_circle", "success"),
    ToolCall.Status.ERROR: ("error", "danger"),
    ToolCall.Status.CANCELLED: ("cancel", "neutral"),
}


class ServerCalls(ConsolePage):
    """The latest calls, or with `?before=ID` those before that one. Without arguments and results."""

    permission_required = "assistants.view_run"
    template_name = "admin/assistants/server/calls.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        server = get_object_or_404(MCPTool.objects.present().only("name", "is_enabled"), pk=kwargs["pk"])
        before = self.request.GET.get("before", "")
        # By the key and not by a page's number: counting hundreds of thousands of calls takes too long.
        rows = ToolCall.objects.filter(mcp_tool=server).select_related("run").order_by("-pk")
        if before.isascii() and before.isdigit() and len(before) < 19:
            rows = rows.filter(pk__lt=int(before))
        shown = ("function", "status", "duration_ms", "error", "result_size", "started_at")
        calls = list(rows.only(*shown, "run__run_id", "run__assistant_slug")[: SHOWN + 1])
        return super().get_context_data(
            title=server.name,
            server=server,
            object=server,
            active="calls",
            calls=[(call, *_LOOKS[call.status]) for call in calls[:SHOWN]],
            next_before=calls[SHOWN - 1].pk if len(calls) > SHOWN else None,
            **kwargs,
        )
