"""Finds servers and tools for the picker of an assistant's tools, as JSON."""

from collections.abc import Iterable, Sequence
from typing import Any

from asgiref.sync import async_to_sync
from django.db.models import Case, IntegerField, Q, Value, When
from django.http import HttpRequest, JsonResponse
from django.utils.text import Truncator

from assistants import access
from assistants.access import Reason
from assistants.console.assistant_page import AssistantPage
from core.admin.text import shown
from tools.models import MCPTool, ToolFunction
from tools.search import EVERYTHING, search

_MOST_SERVERS, _MOST_NAMED, _MOST_HITS, _MOST_OF_SERVER = 30, 40, 30, 500
_LONGEST_QUERY, _LONGEST_DESCRIPTION = 200, 160
_EMBED_WITHIN_S = 1.5
_FUNCTION = (
    "server_id", "name", "public_name", "title", "description", "overrides", "is_enabled", "removed_at",
    "definition_hash", "approved_hash",
)  # fmt: skip
_SERVER = ("name", "slug", "is_enabled", "status", "approval", "deleted_at")


class ToolSearchPage(AssistantPage):
    """Answers `?q=` with servers and tools that fit, `?server=` with all tools of one server."""

    permission_required: Any = (
        "assistants.view_assistant",
        "tools.view_mcptool",
        "tools.view_toolfunction",
    )
    tab = "tools"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> JsonResponse:
        server, query = request.GET.get("server", ""), request.GET.get("q", "").replace("\0", "")
        if server.isdecimal() and len(server) < 19:
            return JsonResponse({"servers": of_server(int(server))})
        query = query[:_LONGEST_QUERY].strip()
        return JsonResponse({"servers": found(query) if query else listed()})


def listed() -> list[dict[str, Any]]:
    """Returns the first servers by name, without their tools."""
    return as_json(_servers().order_by("name")[:_MOST_SERVERS], ())


def of_server(server_id: int) -> list[dict[str, Any]]:
    """Returns the server with its tools, or nothing if it is gone."""
    functions = _functions().filter(server=server_id).order_by("name")[:_MOST_OF_SERVER]
    return as_json(_servers().filter(pk=server_id), functions)


def found(query: str) -> list[dict[str, Any]]:
    """Returns tools whose name contains the text, then tools whose meaning fits, and servers by name."""
    contains = Q(name__icontains=query) | Q(public_name__icontains=query) | Q(title__icontains=query)
    exactly = Case(When(name__iexact=query, then=Value(0)), default=Value(1), output_field=IntegerField())
    named = list(_functions().filter(contains).order_by(exactly, "name")[:_MOST_NAMED])
    hits = async_to_sync(search)(query, EVERYTHING, limit=_MOST_HITS, embed_within_s=_EMBED_WITHIN_S).hits
    known = {function.pk for function in named}
    ids = [hit.function_id for hit in hits if hit.function_id not in known]
    meant = _functions().in_bulk(ids)
    functions = [*named, *(meant[pk] for pk in ids if pk in meant)]
    by_name = _servers().filter(Q(name__icontains=query) | Q(slug__icontains=query)).order_by("name")
    servers = {server.pk: server for server in by_name[:_MOST_SERVERS]}
    missing = {function.server_id for function in functions} - servers.keys()
    servers |= _servers().in_bulk(missing)
    return as_json(servers.values(), functions)


def _servers() -> Any:
    return MCPTool.objects.present().only(*_SERVER).with_function_count()


def _functions() -> Any:
    rows = ToolFunction.objects.present().filter(server__deleted_at=None)
    return rows.only(*_FUNCTION, "server__approval").select_related("server")


def as_json(servers: Iterable[Any], functions: Sequence[ToolFunction]) -> list[dict[str, Any]]:
    """Returns servers with those of the functions that are theirs. `problem`: why it cannot be used."""
    by_server: dict[int, list[dict[str, Any]]] = {}
    for function in functions:
        by_server.setdefault(function.server_id, []).append(_function(function))
    rows = [server_as_json(server) | {"functions": by_server.get(server.pk, [])} for server in servers]
    return rows if not by_server else sorted(rows, key=lambda row: not row["functions"])


def server_as_json(server: Any) -> dict[str, Any]:
    return {
        "id": server.pk,
        "name": shown(server.name, most=255),
        "slug": server.slug,
        "count": server.function_count,
        "problem": _in_words(access.server_reasons(server)),
    }


def _function(function: ToolFunction) -> dict[str, Any]:
    description = function.overrides.get("description") or function.description
    return {
        "name": function.name,
        "public_name": function.public_name,
        "description": Truncator(shown(description, most=400)).chars(_LONGEST_DESCRIPTION),
        "problem": _in_words(access.withheld(function.server, function)),
    }


def _in_words(reasons: Iterable[Reason]) -> str:
    return ", ".join(str(reason.label) for reason in reasons)
