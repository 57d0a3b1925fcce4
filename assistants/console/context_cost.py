"""The tab Context cost: the tokens that definitions of tools take, and which tools were never called."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, NamedTuple

from django.core.paginator import Paginator
from django.db.models import Count, Max
from django.utils import timezone

from assistants.agent.equipment import MOST_TOOLS
from assistants.catalogue import definitions, tool_schemas
from assistants.catalogue.endpoints import endpoint
from assistants.catalogue.entries import SCHEMA_TOKEN_BUDGET
from assistants.console.assistant_page import AssistantPage
from assistants.console.context_windows import size_of
from assistants.models import Assistant, AssistantTool, ToolCall
from tools.models import ToolFunction

DAYS = 30
_A_PAGE = 100
_MOST_SIZES = 50_000
Function = tuple[int, str]
"""The id of its server, and its name there."""
_Version = tuple[str, str, str]


class _Function(NamedTuple):
    pk: int
    server_id: int
    name: str
    public_name: str
    overrides: dict[str, Any]
    definition_hash: str

    @property
    def version(self) -> _Version:
        """What decides how many tokens it takes."""
        return self.public_name, self.definition_hash, str(self.overrides.get("description") or "")


_sizes: dict[_Version, int] = {}
"""Tokens of definitions: counting those of 5,000 tools takes half a second."""


@dataclass(frozen=True, slots=True)
class Cost:
    """A tool. `share`: percent of all tokens. `last_called`: None if not in the last DAYS days."""

    public_name: str
    server: str
    server_id: int
    tokens: int
    share: float
    calls: int
    last_called: datetime | None


def costs(assistant: Assistant) -> list[Cost]:
    """Returns what each tool costs that the assistant's model may be given, the dearest first."""
    links = {link.mcp_tool_id: link for link in _links(assistant)}
    sized = _sized(_functions(links))
    called = _calls(assistant)
    total = sum(tokens for _, tokens in sized) or 1
    rows = [
        Cost(
            function.public_name,
            links[function.server_id].mcp_tool.name,
            function.server_id,
            tokens,
            100 * tokens / total,
            *called.get((function.server_id, function.name), (0, None)),
        )
        for function, tokens in sized
    ]
    return sorted(rows, key=lambda row: (-row.tokens, row.public_name))


def _links(assistant: Assistant) -> Iterable[AssistantTool]:
    links = AssistantTool.objects.filter(assistant=assistant, mcp_tool__deleted_at=None)
    return links.select_related("mcp_tool").only("functions", "mcp_tool__name")


def _functions(links: Mapping[int, AssistantTool]) -> list[_Function]:
    chosen = {server: frozenset(link.functions or ()) for server, link in links.items()}
    rows = ToolFunction.objects.offered().filter(server__in=list(links)).values_list(*_Function._fields)
    functions = (_Function(*row) for row in rows)
    return [each for each in functions if not (only := chosen[each.server_id]) or each.name in only]


def _sized(functions: Sequence[_Function]) -> list[tuple[_Function, int]]:
    """Returns the functions with their tokens. Definitions are read only of those that are new here."""
    missing = {function.pk for function in functions if function.version not in _sizes}
    if len(_sizes) + len(missing) > _MOST_SIZES:
        _sizes.clear()
        missing = {function.pk for function in functions}
    definition = ToolFunction.objects.only("description", "input_schema").in_bulk(missing) if missing else {}
    for function in functions:
        if function.pk in definition:
            _sizes[function.version] = _tokens(function, definition[function.pk])
    return [(function, _sizes.get(function.version, 0)) for function in functions]


def _tokens(function: _Function, row: ToolFunction) -> int:
    description = function.overrides.get("description") or row.description
    offered = tool_schemas.offered(row.input_schema)
    return definitions.tokens(definitions.whole(function.public_name, description, offered))


def _calls(assistant: Assistant) -> dict[Function, tuple[int, datetime]]:
    since = timezone.now() - timedelta(days=DAYS)
    calls = ToolCall.objects.filter(run__assistant=assistant, run__started_at__gte=since).order_by()
    counted = calls.values("mcp_tool_id", "function").annotate(n=Count("pk"), last=Max("run__started_at"))
    return {(row["mcp_tool_id"], row["function"]): (row["n"], row["last"]) for row in counted}


class ContextCostPage(AssistantPage):
    permission_required: Any = ("assistants.view_assistant", "tools.view_toolfunction")
    template_name = "console/assistant/cost.html"
    tab: ClassVar[str] = "cost"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        rows, number = costs(self.assistant), self.request.GET.get("page")
        unused = [row for row in rows if not row.calls]
        only_unused = self.request.GET.get("unused") == "1"
        shown = {
            "page": Paginator(unused if only_unused else rows, _A_PAGE).get_page(number),
            "only_unused": only_unused,
            "count": len(rows),
            "unused": len(unused),
            "unused_tokens": sum(row.tokens for row in unused),
            "days": DAYS,
            "most_tools": MOST_TOOLS,
            **_sums(self.assistant, sum(row.tokens for row in rows)),
        }
        return super().get_context_data(**{**shown, **kwargs})


def _sums(assistant: Assistant, total: int) -> dict[str, Any]:
    """Returns the tokens beside the context of the model. `sent`: with each request, at most."""
    is_all = assistant.selection == Assistant.Selection.ALL
    budget = assistant.schema_token_budget or SCHEMA_TOKEN_BUDGET
    sent = total if is_all else min(total, budget)
    model = endpoint(assistant.provider, assistant.model).model
    context = size_of(model)
    percent = None if context is None else 100 * sent / context
    return {
        "total": total,
        "sent": sent,
        "is_all": is_all,
        "budget": budget,
        "model": model,
        "context": context,
        "percent": percent,
        "bar": None if percent is None else max(1, min(100, round(percent))),
    }
