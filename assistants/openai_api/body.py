"""Reads a request's body: one JSON object, strictly."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.conf import settings
from django.http import HttpRequest

from core import off_loop, strict_json
from core.errors import request_too_large

_CHECKING = 32
Params = TypeVar("Params")


async def read(
    request: HttpRequest, validate: Callable[[dict[str, Any]], Params]
) -> tuple[dict[str, Any], Params]:
    """Returns the body, and what `validate` makes of it.

    Raises InvalidRequest: 415 (not UTF-8 application/json), 413 (over CHAT_BODY_LIMIT), 400 (bad JSON), and
    what `validate` raises.
    """
    meta = request.META
    strict_json.require_json_type(meta.get("CONTENT_TYPE", ""), meta.get("HTTP_CONTENT_ENCODING", ""))
    data = request.read(settings.CHAT_BODY_LIMIT + 1)
    if len(data) > settings.CHAT_BODY_LIMIT:
        raise request_too_large(settings.CHAT_BODY_LIMIT)

    def parse() -> tuple[dict[str, Any], Params]:
        content = strict_json.loads(data)
        return content, validate(content)

    # To check a schema for an answer takes many times as long as to read its text.
    cost = _CHECKING if b'"json_schema"' in data else 1
    return await off_loop.run(parse, size=len(data) * cost)
