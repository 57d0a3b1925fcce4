"""The session of a request and its end user: the caller's own names for them."""

from collections.abc import Mapping
from typing import Protocol

from django.http import HttpRequest

from assistants import validation
from assistants.openai_api.shared_fields import LONGEST_SESSION_ID
from core.errors import InvalidRequest


class SessionFields(Protocol):
    """The fields of a request's body that may name its session."""

    @property
    def session_id(self) -> str | None: ...

    @property
    def metadata(self) -> Mapping[str, str] | None: ...


class EndUserFields(Protocol):
    """The fields of a request's body that may name its end user."""

    @property
    def safety_identifier(self) -> str | None: ...

    @property
    def user(self) -> str | None: ...


def session_id(request: HttpRequest, params: SessionFields) -> str | None:
    """Returns the first name of: X-Session-Id, `session_id`, and the fields that other products send.

    Raises InvalidRequest for one that is too long: only a header can be, a field was checked before.
    """
    metadata = params.metadata or {}
    candidates = {
        "x-session-id": _header(request, "X_SESSION_ID"),
        "session_id": params.session_id,
        "metadata.session_id": metadata.get("session_id"),
        "x-openwebui-chat-id": _header(request, "X_OPENWEBUI_CHAT_ID"),
        "x-litellm-session-id": _header(request, "X_LITELLM_SESSION_ID"),
        "metadata.conversation_id": metadata.get("conversation_id"),
    }
    param, name = next(((param, name) for param, name in candidates.items() if name), ("", None))
    if name and len(name) > LONGEST_SESSION_ID:
        message = f"A session's id is a text of at most {LONGEST_SESSION_ID} characters."
        raise InvalidRequest(message, param=param, code="invalid_value")
    return name


def end_user(request: HttpRequest, params: EndUserFields) -> str:
    """Returns the first name of: X-End-User, `safety_identifier` and `user`; "" without any.

    Raises InvalidRequest for a header that is too long; a field was checked before.
    """
    header = validation.end_user(request.META.get("HTTP_X_END_USER", ""))
    return header or params.safety_identifier or params.user or ""


def _header(request: HttpRequest, name: str) -> str:
    """Returns the header's text. Django reads it as Latin-1; one in UTF-8 is to equal the name in a body."""
    text: str = request.META.get(f"HTTP_{name}", "")
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text
