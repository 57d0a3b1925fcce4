"""Every route of the management API, found in its URLs: a new one is swept without being told to a test."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.urls import URLResolver, get_resolver

from apikeys.models import ApiKey
from assistants.models import Approval, Assistant, Delivery, Provider, Rule, Run, Webhook
from tools.models import MCPTool

Rows = Mapping[type[models.Model], Any]

API = "api/v1/"
FOR_CALLERS = re.compile(r"(chat|embeddings|models|responses)\b|assistants/<str:slug>/(tools/|openapi)")
"""What callers of assistants use, below /api/v1: these have rights of their own."""
_METHODS = ("get", "post", "put", "patch", "delete")
_GROUP = re.compile(r"\(\?P<(\w+)>(?:[^()]|\\.)*\)|<(?:\w+:)?(\w+)>")
_MODELS: dict[str, type[models.Model]] = {
    "api-keys": ApiKey,
    "approvals": Approval,
    "assistants": Assistant,
    "providers": Provider,
    "rules": Rule,
    "runs": Run,
    "webhooks": Webhook,
    "mcp-tools": MCPTool,
}


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    path: str


def management(rows: Rows) -> list[Route]:
    """Returns every route of the management API by each of its methods, with the ids of `rows`."""
    return [
        Route(method, f"/{API}{_filled(route, rows)}")
        for whole, view in _routes(get_resolver().url_patterns)
        if whole.startswith(API) and not FOR_CALLERS.match(route := whole.removeprefix(API))
        for method in _methods(view)
    ]


def _routes(patterns: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for each in patterns:
        route = prefix + str(each.pattern)
        if isinstance(each, URLResolver):
            yield from _routes(each.url_patterns, route)
        else:
            yield route, each.callback


def _methods(view: Any) -> list[str]:
    """Returns those of a viewset's route, or those for which a view has a function."""
    return list(getattr(view, "actions", None) or [name for name in _METHODS if hasattr(view.cls, name)])


def _filled(route: str, rows: Rows) -> str:
    route = route.strip("^$")
    row: Any = rows.get(_MODELS.get(route.partition("/")[0], models.Model))

    def value(group: re.Match[str]) -> str:
        match group[1] or group[2]:
            case "pk" | "number":
                return str(row.run_id if isinstance(row, Run) else row.pk) if row else "1"
            case "delivery":
                return str(rows[Delivery].pk) if Delivery in rows else "1"
            case _:
                return "now"

    return _GROUP.sub(value, route)
