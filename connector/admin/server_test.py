"""The connection test of the form of a server: starts or reaches it before it is saved. Nothing is stored."""

from typing import Any

from django.contrib.auth.mixins import PermissionRequiredMixin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, JsonResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.views.generic import View

from connector.client import connection_tests
from connector.client.waiting import awaited
from connector.errors import CallFailed
from connector.wire.results import ConnectionTestResult
from core.admin.pages import masked
from core.admin.refusals import errors_by_field
from core.admin.text import shown, tail
from core.message import restored, said
from tools import connection_settings
from tools.admin.server_form import MCPToolForm
from tools.launch import launch_spec
from tools.models import MCPTool

SETTINGS = ("connection_type", "command", "args", "env", "url", "headers", "start_timeout_s")
MOST_TOOLS = 200


class ServerTest(PermissionRequiredMixin, View):
    """POST of the form as it is, for managers: it starts processes. Answers JSON: see `_answer`.

    422 with `errors` by the labels of the fields, if these settings could not be saved either.
    """

    permission_required = ("tools.add_mcptool", "tools.change_mcptool")
    raise_exception = True
    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int | None = None) -> JsonResponse:
        known = MCPTool.objects.present().without_vectors()
        server = get_object_or_404(known, pk=pk) if pk else MCPTool()
        errors = _set(server, request, pk)
        if errors:
            return JsonResponse({"errors": errors}, status=422)
        try:
            return JsonResponse(_answer(awaited(connection_tests.run(launch_spec(server)))))
        except CallFailed as failure:
            remedy = _("Try again in a moment. An MCP worker has to run for a test.")
            return JsonResponse({"ok": False, "message": said(failure.message), "remedy": remedy})


def _set(server: MCPTool, request: HttpRequest, pk: int | None) -> list[dict[str, Any]]:
    """Sets the settings of the form. Returns what is wrong with them."""
    shown_row = masked(get_object_or_404(MCPTool, pk=pk)) if pk else MCPTool()
    form = MCPToolForm(request.POST, instance=shown_row)
    form.is_valid()  # a name may still be missing
    errors = {name: list(form.errors[name]) for name in SETTINGS if name in form.errors}
    fields = {name: form.cleaned_data[name] for name in SETTINGS if name in form.cleaned_data}
    if not errors:
        try:
            connection_settings.apply(server, fields)
            server.clean()
        except ValidationError as error:
            found = errors_by_field(error)
            errors = {
                name: [text for each in found[name] for text in each.messages]
                for name in found
                if name in SETTINGS
            }
    labels = {name: str(form.fields[name].label) for name in errors}
    return [{"field": labels[name], "messages": texts} for name, texts in errors.items()]


def _answer(result: ConnectionTestResult) -> dict[str, Any]:
    """Returns what a person is told: the tools, or the cause and the remedy."""
    found = {
        "ok": result.error is None,
        "seconds": f"{result.duration_ms / 1000:.1f}",
        "count": len(result.tools),
        "tools": [_tool(each) for each in result.tools[:MOST_TOOLS]],
        "warning": shown(said(result.warning)),
        "output": tail(result.stderr_tail, lines=30),
    }
    if result.error is not None:
        message = restored(result.error).said()
        found |= {"message": shown(message), "remedy": shown(_(result.error["remedy"]))}
    return found


def _tool(definition: dict[str, Any]) -> dict[str, str]:
    name, text = definition.get("name", ""), definition.get("description") or ""
    return {"name": shown(name, most=128), "description": shown(text, most=200)}
