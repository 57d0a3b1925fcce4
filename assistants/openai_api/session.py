"""The session of a request: the caller's own name for runs that belong together."""

import re
from typing import Any, Protocol

from django.http import HttpRequest

from core.errors import InvalidRequest

_NAME = re.compile(r"[!-~]{1,255}")


class SessionFields(Protocol):
    """The fields of a request's body that may name its session."""

    session_id: str | None
    metadata: dict[str, Any] | None


def session_id(request: HttpRequest, params: SessionFields) -> str | None:
    """Returns the first name of: X-Session-Id, `session_id`, and the fields that other products send.

    Raises InvalidRequest for an impossible name.
    """
    metadata = params.metadata or {}
    candidates = {
        "x-session-id": request.META.get("HTTP_X_SESSION_ID"),
        "session_id": params.session_id,
        "metadata.session_id": metadata.get("session_id"),
        "x-openwebui-chat-id": request.META.get("HTTP_X_OPENWEBUI_CHAT_ID"),
        "x-litellm-session-id": request.META.get("HTTP_X_LITELLM_SESSION_ID"),
        "metadata.conversation_id": metadata.get("conversation_id"),
    }
    for param, name in candidates.items():
        if name:
            return _checked(param, name)
    return None


def _checked(param: str, name: object) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        message = "A session's id is a text of 1 to 255 printable ASCII characters without spaces."
        raise InvalidRequest(message, param=param, code="invalid_value")
    return name
