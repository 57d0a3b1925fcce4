"""The page on which managers paste a file of an MCP client: a preview, then its servers are registered."""

from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from core.actor import Actor
from core.admin.pills import Tone
from core.admin.text import shown
from core.admin.views import ConsolePage
from tools import importing
from tools.importing import Document, Imported, Outcome
from tools.models import ConnectionType, MCPTool

LOOKS: dict[Outcome, tuple[Any, str, Tone]] = {
    Outcome.CREATED: (_("New"), "add_circle", "success"),
    Outcome.UPDATED: (_("Changed"), "edit", "info"),
    Outcome.UNCHANGED: (_("Unchanged"), "check", "neutral"),
    Outcome.CONFLICT: (_("Name is taken"), "error", "warning"),
    Outcome.REFUSED: (_("Not possible"), "error", "danger"),
}
REGISTERED = {Outcome.CREATED, Outcome.UPDATED}


class PasteServers(ConsolePage):
    """POST of a `text`: `do=preview` tells what would be registered, `do=apply` registers it."""

    permission_required = ("tools.add_mcptool", "tools.change_mcptool")
    template_name = "admin/tools/mcptool/paste.html"
    title = _("Paste the servers of an MCP client")

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        text, update = request.POST.get("text", ""), "update" in request.POST
        is_applied = request.POST.get("do") == "apply"
        # What was registered is not shown in the box again: the text holds its secrets.
        again = {} if is_applied else {"text": text, "update": update}
        try:
            imported = _imported(_read(text), request, update=update, is_applied=is_applied)
        except ValidationError as error:
            problems = [shown(each) for each in error.messages]
            refused = self.get_context_data(**kwargs, text=text, update=update, problems=problems)
            return self.render_to_response(refused, status=422)
        context = self.get_context_data(**kwargs, **again, **_told(imported), is_applied=is_applied)
        return self.render_to_response(context)


def _told(imported: list[Imported]) -> dict[str, Any]:
    count = sum(each.status in REGISTERED for each in imported)
    return {"servers": [_server(each) for each in imported], "count": count, "refused": len(imported) - count}


def _read(text: str) -> Document:
    if not text.strip():
        raise ValidationError(_("Paste the file, or the part of it that has the servers."))
    return importing.find_servers(importing.read(text))


def _imported(document: Document, request: HttpRequest, *, update: bool, is_applied: bool) -> list[Imported]:
    verb = importing.apply if is_applied else importing.preview
    return verb(document, by=Actor.of(request), update=update)


def _server(imported: Imported) -> dict[str, Any]:
    """Returns one server as the page shows it: names of secrets, and never a value."""
    word, icon, tone = LOOKS[imported.status]
    row = imported.mcp_tool
    return {
        "name": imported.name,
        "pk": row.pk if row else None,
        "word": word,
        "icon": icon,
        "tone": tone,
        "reached": _reached(row) if row else "",
        "waits": bool(row and not row.is_enabled and imported.missing),
        "secrets": [f"{each.field}: {each.name}" for each in imported.secrets],
        "missing": [f"{each.field}: {each.name}" for each in imported.missing],
        "warnings": imported.warnings,
        "errors": [f"{name}: {text}" for name, texts in imported.errors.items() for text in texts],
    }


def _reached(server: MCPTool) -> str:
    """Returns the command with its arguments, or the URL, with secrets masked."""
    fields = MCPTool.secret_fields()
    if server.connection_type == ConnectionType.STDIO:
        return " ".join([server.command, *fields["args"].masked(server.args)])
    return str(fields["url"].masked(server.url))
