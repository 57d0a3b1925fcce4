"""Pages of lists: the body is a bare JSON array; `Link` (RFC 8288) and `X-Total-Count` are headers."""

from typing import Any

from django.db.models import QuerySet
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

DEFAULT_LIMIT, MAX_LIMIT, MAX_OFFSET = 50, 200, 2**31


class HeaderPagination(BasePagination):
    """Pages by `limit` (1 to 200, by default 50) and `offset`. Values out of bounds are refused.

    Not a subclass of DRF's LimitOffsetPagination, which clamps or ignores such values, answers links in the
    body and leaves `offset` out of some: slicing alone would be inherited.
    """

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        rows: QuerySet[Any] = queryset
        limit = _bounded(request, "limit", default=DEFAULT_LIMIT, least=1, most=MAX_LIMIT)
        offset = _bounded(request, "offset", default=0, least=0, most=MAX_OFFSET)
        total = rows.count()
        self.headers = {"X-Total-Count": str(total), "Link": _links(request, limit, offset, total)}
        return list(rows[offset : offset + limit])

    def get_paginated_response(self, data: Any) -> Response:
        return Response(data, headers=self.headers)

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return schema

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [
            _parameter("limit", "How many to answer.", minimum=1, maximum=MAX_LIMIT, default=DEFAULT_LIMIT),
            _parameter("offset", "How many to skip.", minimum=0, maximum=MAX_OFFSET, default=0),
        ]


def _bounded(request: Request, name: str, *, default: int, least: int, most: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    # Not by int() alone: it reads "+1", " 1" and the digits of every script, and is slow with very many.
    if not (text.isascii() and text.isdigit() and len(text) <= 12 and least <= int(text) <= most):
        raise ValidationError({name: [f"Give a whole number from {least} to {most}."]})
    return int(text)


def _links(request: Request, limit: int, offset: int, total: int) -> str:
    offsets = {"first": 0}
    if offset > 0:
        offsets["prev"] = max(0, offset - limit)
    if offset + limit < total:
        offsets["next"] = offset + limit
    page = replace_query_param(request.build_absolute_uri(), "limit", str(limit))
    links = {rel: replace_query_param(page, "offset", str(start)) for rel, start in offsets.items()}
    return ", ".join(f'<{url}>; rel="{rel}"' for rel, url in links.items())


def _parameter(name: str, description: str, **schema: int) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": description,
        "schema": {"type": "integer", **schema},
    }
