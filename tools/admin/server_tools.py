"""The page of a server's tools: enable, rename, describe anew; approve or refuse a changed definition."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.actor import Actor
from core.admin.comparison import side_by_side
from core.admin.refusals import REFUSALS, text_of
from core.admin.views import ConsolePage
from core.errors import Conflict
from tools.functions import actions
from tools.hints import suggested_labels
from tools.models import Approval, Label, MCPTool, ToolFunction

PER_PAGE = 25
_PARTS = {
    "title": gettext_lazy("Title"),
    "description": gettext_lazy("Description"),
    "input_schema": gettext_lazy("Arguments (JSON Schema)"),
    "output_schema": gettext_lazy("Result (JSON Schema)"),
    "annotations": gettext_lazy("Annotations"),
}


class ServerTools(ConsolePage):
    """GET shows a page of the tools, of those that `?q=` finds. POST changes one: see `_change`."""

    permission_required = "tools.view_toolfunction"
    template_name = "admin/tools/mcptool/functions.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        server = _server(kwargs["pk"])
        query = self.request.GET.get("q", "").replace("\0", "")[:255]
        rows = ToolFunction.objects.present().filter(server=server).without_vectors().order_by("name")
        if query:
            rows = rows.filter(Q(public_name__icontains=query) | Q(description__icontains=query))
        page = Paginator(rows, PER_PAGE).get_page(self.request.GET.get("p"))
        return super().get_context_data(
            title=server.name,
            server=server,
            object=server,
            page=page,
            query=query,
            is_pinned=server.approval == Approval.PINNED,
            functions=[(function, _changes(function), _labels(function, server)) for function in page],
            **kwargs,
        )

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not request.user.has_perm("tools.change_toolfunction"):
            raise PermissionDenied
        sent = request.POST.get("function", "")
        pk_of_function = int(sent) if sent.isascii() and sent.isdigit() and len(sent) < 19 else 0
        try:
            with transaction.atomic():
                rows = ToolFunction.objects.present().without_vectors().select_for_update(of=("self",))
                function = get_object_or_404(rows, pk=pk_of_function, server=_server(pk))
                told = _change(function, request)
        except REFUSALS as error:
            messages.error(request, text_of(error))
        else:
            messages.success(request, told)
        return redirect(request.get_full_path())


def _change(function: ToolFunction, request: HttpRequest) -> str:
    """Does what the button `do` says: `approve`, `refuse`, or else saves the fields. Returns what to tell."""
    by, button, name = Actor.of(request), request.POST.get("do"), function.public_name
    if button in {"approve", "refuse"} and request.POST.get("seen") != function.definition_hash:
        raise Conflict(_("The definition has changed once more: read it again."), "version_conflict")
    if button == "approve":
        actions.update(function, by=by, approve=True)
        return _("%(tool)s is approved: assistants get the new definition.") % {"tool": name}
    if button == "refuse":
        actions.update(function, by=by, is_enabled=False)
        return _("%(tool)s is refused: it is disabled, and no assistant gets it.") % {"tool": name}
    overrides = {each: request.POST.get(each, "").strip() or None for each in ("name", "description")}
    labels = request.POST.getlist("labels") if request.POST.get("has_labels") == "yes" else None
    is_enabled = "is_enabled" in request.POST
    actions.update(function, by=by, is_enabled=is_enabled, overrides=overrides, labels=labels)
    return _("%(tool)s is saved.") % {"tool": function.public_name}


def _labels(function: ToolFunction, server: MCPTool) -> dict[str, Any]:
    """Returns the labels that count for a tool, and those that its annotations suggest."""
    set_here = function.labels
    given = server.labels if set_here is None else set_here
    suggested = suggested_labels(function.annotations)
    return {
        "are_own": set_here is not None,
        "each": [
            {"value": value, "name": name, "is_set": value in given, "is_suggested": value in suggested}
            for value, name in Label.choices
        ],
    }


def _changes(function: ToolFunction) -> list[dict[str, Any]]:
    """Returns the parts of the definition that changed, side by side."""
    change = function.change
    if change is None:
        return []
    return [
        {"part": _PARTS[name], "lines": side_by_side(change["before"][name], change["after"][name])}
        for name in change["after"]
    ]


def _server(pk: int) -> MCPTool:
    return get_object_or_404(MCPTool.objects.present().only("name", "slug", "approval", "is_enabled"), pk=pk)
