"""The addresses of the console to be measured: all that its URLs have, each of the row that has most."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.auth.models import Group
from django.db.models import Count, Model
from django.utils import timezone

from apikeys.models import ApiKey
from assistants.models import Assistant, Run
from tests.console.site import pages
from tools.models import MCPTool, ToolFunction


@dataclass(frozen=True, slots=True)
class Address:
    name: str
    url: str


def addresses() -> Iterator[Address]:
    """Yields every page below /admin/, then lists searched, sorted, filtered, and turned to their end."""
    rows = _rows()
    for page in pages(rows):
        yield Address(page.name or "page", page.address)
    for model, shown in admin.site._registry.items():  # noqa: SLF001 - all that have pages
        address = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        yield from (Address(str(shown), f"{address}?{query}") for query in _of_list(model, shown))
    yield from (Address("runs, filtered", f"/admin/assistants/run/?{query}") for query in _of_runs(rows))
    yield from _others(rows)


def _rows() -> dict[type[Model], Model]:
    """Returns of each model the newest row, or the one that has most."""
    rows = {model: model._default_manager.order_by("-pk").first() for model in admin.site._registry}  # noqa: SLF001
    most = {
        MCPTool: "functions",
        Assistant: "assistant_tools",
        ApiKey: "assistants",
        Run: "tool_calls",
        Group: "permissions",
    }
    for model, of in most.items():
        rows[model] = model._default_manager.annotate(most=Count(of)).order_by("-most").first()
    rows[ToolFunction] = ToolFunction.objects.exclude(replaced=None).first()
    return {model: row for model, row in rows.items() if row is not None}


def _of_list(model: type[Model], page: Any) -> Iterator[str]:
    if page.search_fields:
        yield "q=weather"
    yield f"p={max(1, model._default_manager.count() // page.list_per_page)}"
    yield from (f"o={number}" for number in range(1, len(page.list_display) + 1))


def _of_runs(rows: Any) -> tuple[str, ...]:
    ago = timezone.now() - timedelta(days=80)
    return (
        "p=1000",
        "status__exact=failed",
        f"api_key__id__exact={rows[ApiKey].pk}",
        f"assistant__id__exact={rows[Assistant].pk}",
        "tool=find_weather_0",
        "tool=Weather+10",
        "error=upstream",
        "error=no+such+error",
        f"started_at_to_0={ago:%Y-%m-%d}",
        "q=team+7",
    )


def _others(rows: Any) -> Iterator[Address]:
    for period in ("24h", "7d", "30d"):
        yield Address("overview", f"/admin/?period={period}")
    for query in ("by=api_key", "by=assistant&by=model", "by=day&days=90"):
        yield Address("usage", f"/admin/usage/?{query}")
        yield Address("usage as CSV", f"/admin/usage/csv/?{query}")
    server, assistant = rows[MCPTool].pk, rows[Assistant].pk
    for term in ("weather", "team 7", "run_00", "restart weather"):
        yield Address("Ctrl-K", f"/admin/search/?{urlencode({'s': term})}")
    tool = ToolFunction.objects.filter(server=server).latest("pk").pk
    yield Address("inspector, a tool", f"/admin/servers/{server}/inspector/?tool={tool}")
    yield Address("tools of a server, searched", f"/admin/tools/mcptool/{server}/tools/?q=weather")
    yield Address(
        "search of tools", f"/admin/assistants/assistant/{assistant}/tools/search/?q=find+the+weather"
    )
    yield Address("what may a key do, searched", f"/admin/keys/{rows[ApiKey].pk}/access/?q=weather")
    newest = MCPTool.objects.order_by("-pk").values_list("pk", flat=True)[:20]
    yield Address("what moves of a list", f"/admin/tools/mcptool/live/?ids={','.join(map(str, newest))}")
    yield Address("what moves of instances", f"/admin/servers/{server}/instances/?live")
    fields = {"app_label": "assistants", "model_name": "run", "field_name": "api_key", "term": "team"}
    yield Address("choices of a field", f"/admin/autocomplete/?{urlencode(fields)}")
    yield Address("texts of scripts", "/admin/jsi18n/")
