"""The tab Tools: which servers an assistant uses, whole or by single tools, and which tools are pinned."""

from typing import Any, ClassVar

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from pydantic import BaseModel, ConfigDict, TypeAdapter
from pydantic import ValidationError as SchemaError

from assistants import actions
from assistants.actions import ToolUse
from assistants.console.assistant_page import AssistantPage
from assistants.console.tool_search import server_as_json
from assistants.models import AssistantTool
from assistants.validation import MOST_FUNCTIONS, MOST_PINNED
from core.actor import Actor
from core.admin.refusals import REFUSALS, errors_by_field
from core.admin.verbs import VERSION, ChangedMeanwhile, refuse_if_changed_meanwhile
from tools.models import MCPTool

_LONGEST = 1_000_000  # characters


class Use(BaseModel):
    """A server as the page sends it. `functions`: None for all of them."""

    model_config = ConfigDict(extra="forbid", strict=True)

    server: int
    functions: list[str] | None
    pinned: list[str]


_uses = TypeAdapter(list[Use])


def read(text: str) -> list[Use]:
    """Raises ValidationError for what the page would not send."""
    try:
        return _uses.validate_json(text[:_LONGEST])
    except SchemaError as error:
        where = ".".join(map(str, error.errors()[0]["loc"])) or _("the whole")
        message = _("The choice cannot be read (%(where)s): load the page again.") % {"where": where}
        raise ValidationError(message) from None


def as_tool_uses(uses: list[Use]) -> list[ToolUse]:
    """Raises ValidationError if a server is gone."""
    servers = MCPTool.objects.present().without_vectors().in_bulk({use.server for use in uses})
    if any(use.server not in servers for use in uses):
        raise ValidationError(_("One of the servers was deleted meanwhile: take it out."))
    return [ToolUse(servers[use.server], use.functions, use.pinned) for use in uses]


class ToolsPage(AssistantPage):
    permission_required: Any = (
        "assistants.view_assistant",
        "tools.view_mcptool",
        "tools.view_toolfunction",
    )
    template_name = "console/assistant/tools.html"
    tab: ClassVar[str] = "tools"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        shown = {
            "uses": self._stored(),
            "limits": {"functions": MOST_FUNCTIONS, "pinned": MOST_PINNED},
            "errors": [],
            "seen_version": self.assistant.version,
            "version_field": VERSION,
        }
        return super().get_context_data(**{**shown, **kwargs})

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        self.require_change()
        uses: list[Use] = []
        try:
            uses = read(request.POST.get("uses", ""))
            with transaction.atomic():
                refuse_if_changed_meanwhile(request, self.assistant)
                actions.update(self.assistant, by=Actor.of(request), tools=as_tool_uses(uses))
        except REFUSALS as error:
            told = [text for each in errors_by_field(error).values() for e in each for text in e.messages]
            return self._again(uses, told, is_stale=isinstance(error, ChangedMeanwhile))
        messages.success(request, _("Saved. It holds from the next request on."))
        return redirect("admin:assistant_tools", pk)

    def _again(self, uses: list[Use], errors: list[str], *, is_stale: bool) -> HttpResponse:
        """Shows what was entered and why it is not saved. What others saved is seen from now on."""
        self.assistant.refresh_from_db(fields=["version"])
        seen = self.assistant.version if is_stale else self.request.POST.get(VERSION, "")
        context = self.get_context_data(uses=self._entered(uses), errors=errors, seen_version=seen)
        return self.render_to_response(context, status=409 if is_stale else 422)

    def _stored(self) -> list[dict[str, Any]]:
        links = AssistantTool.objects.filter(assistant=self.assistant, mcp_tool__deleted_at=None)
        return self._entered(
            [
                Use(server=link.mcp_tool_id, functions=link.functions, pinned=link.pinned or [])
                for link in links.only("mcp_tool_id", "functions", "pinned").order_by("mcp_tool_id")
            ]
        )

    def _entered(self, uses: list[Use]) -> list[dict[str, Any]]:
        rows = MCPTool.objects.present().without_vectors().with_function_count()
        servers = rows.in_bulk({use.server for use in uses})
        return [
            {**server_as_json(servers[use.server]), **use.model_dump(include={"functions", "pinned"})}
            for use in uses
            if use.server in servers
        ]
