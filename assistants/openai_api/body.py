"""Reads a request's body: one JSON object, strictly."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from core import strict_json
from core.errors import request_too_large


def read(request: HttpRequest) -> dict[str, Any]:
    """Raises InvalidRequest: 415 (not UTF-8 application/json), 413 (over CHAT_BODY_LIMIT), 400 (bad JSON)."""
    meta = request.META
    strict_json.require_json_type(meta.get("CONTENT_TYPE", ""), meta.get("HTTP_CONTENT_ENCODING", ""))
    data = request.read(settings.CHAT_BODY_LIMIT + 1)
    if len(data) > settings.CHAT_BODY_LIMIT:
        raise request_too_large(settings.CHAT_BODY_LIMIT)
    return strict_json.loads(data)
