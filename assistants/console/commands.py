"""Ctrl-K: finds what this person may see, and offers what they may do with it.

Everything is found anew at each request: no cache shows what somebody may not see any more. Whatever
changes something is a link to a page that asks, and the page posts.
"""

from collections.abc import Iterator
from typing import Any

from django.db.models import Q
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from unfold.dataclasses import SearchResult

from apikeys.models import ApiKey
from assistants.models import Assistant, Run
from core.admin.text import shown
from tools.models import MCPTool, ToolFunction

MOST_OF_A_KIND = 6
LONGEST_TERM = 100
VERBS = {"restart", "disable", "rotate", "inspect", "open"}
"""Words that may stand before a name: `restart clock`."""


def find(request: HttpRequest, term: str) -> list[SearchResult]:
    """Returns at most MOST_OF_A_KIND servers, tools, assistants, keys and runs, with their commands."""
    term = term.replace("\0", "").strip()[:LONGEST_TERM]
    first, _space, rest = term.partition(" ")
    named = rest.strip() if first.lower() in VERBS and rest.strip() else term
    if not named:
        return []
    finders = (_servers, _tools, _assistants, _keys, _runs)
    return [result for finder in finders for result in finder(request, named)]


def _servers(request: HttpRequest, term: str) -> Iterator[SearchResult]:
    if not request.user.has_perm("tools.view_mcptool"):
        return
    found = MCPTool.objects.present().filter(Q(name__icontains=term) | Q(slug__istartswith=term))
    for server in found.only("pk", "name").order_by("name")[:MOST_OF_A_KIND]:
        yield from _result(server.name, _("MCP server"), "dns", "tools_mcptool_change", server.pk)
        if request.user.has_perm("tools.operate_mcptool"):
            title = _("Restart %(name)s") % {"name": server.name}
            yield from _result(title, _("Command"), "restart_alt", "command", "restart", server.pk)


def _tools(request: HttpRequest, term: str) -> Iterator[SearchResult]:
    if not request.user.has_perm("tools.view_toolfunction"):
        return
    found = ToolFunction.objects.present().filter(server__deleted_at=None, public_name__icontains=term)
    for tool in found.only("pk", "public_name", "server_id").order_by("public_name")[:MOST_OF_A_KIND]:
        yield from _result(tool.public_name, _("Tool"), "construction", "tools_toolfunction_change", tool.pk)
        if request.user.has_perm("tools.call_toolfunction"):
            title = _("Inspect %(name)s") % {"name": tool.public_name}
            yield from _result(title, _("Inspector"), "labs", "server_inspector", tool.server_id)


def _assistants(request: HttpRequest, term: str) -> Iterator[SearchResult]:
    if not request.user.has_perm("assistants.view_assistant"):
        return
    found = Assistant.objects.filter(Q(name__icontains=term) | Q(slug__istartswith=term))
    for row in found.only("pk", "name").order_by("name")[:MOST_OF_A_KIND]:
        yield from _result(row.name, _("Assistant"), "smart_toy", "assistants_assistant_change", row.pk)
        if request.user.has_perm("assistants.chat_assistant"):
            title = _("Chat with %(name)s") % {"name": row.name}
            yield from _result(title, _("Playground"), "forum", "assistant_playground", row.pk)


def _keys(request: HttpRequest, term: str) -> Iterator[SearchResult]:
    if not request.user.has_perm("apikeys.view_apikey"):
        return
    found = ApiKey.objects.filter(Q(name__icontains=term) | Q(key_prefix__startswith=term))
    for key in found.only("pk", "name", "is_disabled").order_by("name")[:MOST_OF_A_KIND]:
        yield from _result(key.name, _("API key"), "key", "apikeys_apikey_change", key.pk)
        if not request.user.has_perm("apikeys.change_apikey"):
            continue
        name = {"name": key.name}
        if not key.is_disabled:
            yield from _result(
                _("Disable %(name)s") % name, _("Command"), "block", "command", "disable", key.pk
            )
        yield from _result(
            _("Rotate %(name)s") % name, _("Command"), "autorenew", "apikeys_apikey_rotate", key.pk
        )


def _runs(request: HttpRequest, term: str) -> Iterator[SearchResult]:
    """Finds a run by its id or by that of its request, whole: both have an index."""
    if not request.user.has_perm("assistants.view_run"):
        return
    found = Run.objects.filter(Q(run_id=term) | Q(request_id=term)).order_by()
    for run in found.only("pk", "run_id", "assistant_slug", "kind")[:MOST_OF_A_KIND]:
        what = _("Run of %(assistant)s") % {"assistant": run.assistant_slug or run.get_kind_display()}
        yield from _result(run.run_id, what, "timeline", "assistants_run_change", run.pk)


def _result(title: str, description: str, icon: str, url: str, *args: Any) -> Iterator[SearchResult]:
    try:
        link = reverse(f"admin:{url}", args=args)
    except NoReverseMatch:
        return
    yield SearchResult(title=shown(title, most=120), description=description, link=link, icon=icon)
