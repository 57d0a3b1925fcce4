"""Every page of the console, found in its URLs: a new page is walked without being told to a test."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.db import models
from django.urls import URLPattern, URLResolver, get_resolver

from apikeys.models import ApiKey
from assistants.models import Approval, Assistant, Provider, Run, ToolCall
from tools.models import MCPTool, ToolFunction

Rows = dict[type[models.Model], models.Model]
ROWS_OF_PAGES: dict[str, type[models.Model]] = {
    "keys/": ApiKey,
    "servers/": MCPTool,
    "commands/": MCPTool,
    "assistants/approval/": Approval,
    "assistants/assistant/": Assistant,
    "assistants/provider/": Provider,
    "assistants/": Assistant,
    "tools/toolfunction/": ToolFunction,
    "tools/": ToolFunction,
    "runs/": Run,
    "calls/": ToolCall,
    "needs-you/": MCPTool,
}
"""By the beginning of an address below /admin/: which row a number in it means, on pages of no model."""
OTHER_ARGUMENTS: dict[str, Any] = {
    "command": "restart",
    "app_label": "tools",
    "url": "nothing/",
    "kind": "usage",
    "name": "restart",
}
NO_PAGES = ("r/<", "(?P<url>", "jsi18n/", "autocomplete/")
"""Redirects and data that Django's admin has besides its pages, by how their routes begin."""


@dataclass(frozen=True, slots=True)
class Page:
    """`view` is the class of a ConsolePage, None of others. `model` is that of a page of Django's admin."""

    route: str
    address: str
    name: str
    view: Any
    model: type[models.Model] | None


def pages(rows: Rows) -> list[Page]:
    """Returns every page below /admin/, each of a row with one of `rows`."""
    return [page for route, pattern in _routes() for page in _page(route, pattern, rows)]


def routes() -> set[str]:
    """Returns every route below /admin/, those that are no pages among them."""
    return {route for route, _pattern in _routes()}


def _routes() -> Iterator[tuple[str, URLPattern]]:
    (site,) = (
        each
        for each in get_resolver().url_patterns
        if isinstance(each, URLResolver) and each.namespace == "admin"
    )
    yield from _patterns(site.url_patterns, "")


def _patterns(patterns: Any, prefix: str) -> Iterator[tuple[str, URLPattern]]:
    for each in patterns:
        route = prefix + str(each.pattern)
        if isinstance(each, URLResolver):
            yield from _patterns(each.url_patterns, route)
        else:
            yield route, each


def _page(route: str, pattern: URLPattern, rows: Rows) -> Iterator[Page]:
    if route.startswith(NO_PAGES) or route.endswith("<path:object_id>/$") or "(?P" in route:
        return
    model = next((each for each in admin.site._registry if route.startswith(_folder(each))), None)
    address = route
    for name, converter in pattern.pattern.converters.items():
        value = _argument(route, name, model, rows)
        if value is None:
            return
        kind = type(converter).__name__.removesuffix("Converter").lower().replace("string", "str")
        address = address.replace(f"<{kind}:{name}>", str(value)).replace(f"<{name}>", str(value))
    view = getattr(_unwrapped(pattern.callback), "view_class", None)
    yield Page(route, f"/admin/{address}", pattern.name or "", view, model)


def _argument(route: str, name: str, model: Any, rows: Rows) -> Any:
    if name in OTHER_ARGUMENTS:
        return OTHER_ARGUMENTS[name]
    if model is None:
        prefix = next((each for each in ROWS_OF_PAGES if route.startswith(each)), None)
        assert prefix, f"say in ROWS_OF_PAGES which row {name} of {route} is"
        model = ROWS_OF_PAGES[prefix]
    return rows[model].pk if model in rows else None


def _folder(model: type[models.Model]) -> str:
    return f"{model._meta.app_label}/{model._meta.model_name}/"


def _unwrapped(view: Any) -> Any:
    while hasattr(view, "__wrapped__") and not hasattr(view, "view_class"):
        view = view.__wrapped__
    return view
