"""Which session a request belongs to: the caller's own name for the runs that belong together."""

import re
from typing import Any, Protocol

from django.http import HttpRequest

from core.errors import InvalidRequest

_NAME = re.compile(r"[!-~]{1,255}")


class Asked(Protocol):
    """What a request's body may say of it."""

    session_id: str | None
    metadata: dict[str, Any] | None


def session_id(request: HttpRequest, asked: Asked) -> str | None:
    """From X-Session-Id, else `session_id`, else as other products tell it. Raises InvalidRequest."""
    metadata = asked.metadata or {}
    given = {
        "x-session-id": request.META.get("HTTP_X_SESSION_ID"),
        "session_id": asked.session_id,
        "metadata.session_id": metadata.get("session_id"),
        "x-openwebui-chat-id": request.META.get("HTTP_X_OPENWEBUI_CHAT_ID"),
        "x-litellm-session-id": request.META.get("HTTP_X_LITELLM_SESSION_ID"),
        "metadata.conversation_id": metadata.get("conversation_id"),
    }
    for param, name in given.items():
        if name:
            return _checked(param, name)
    return None


def _checked(param: str, name: object) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        message = "A session's id is a text of 1 to 255 printable ASCII characters without spaces."
        raise InvalidRequest(message, param=param, code="invalid_value")
    return name
