"""The actor of a change: the `by=` of every verb, and the subject of every audit entry."""

from dataclasses import dataclass
from typing import Any, Self

from django.http import HttpRequest


@dataclass(frozen=True, slots=True)
class Actor:
    """An API key, a member of staff, or the system itself (a command, a worker)."""

    kind: str
    name: str
    id: int | None = None
    request_id: str = ""
    address: str = ""

    @classmethod
    def system(cls, name: str) -> Self:
        return cls("system", name)

    @classmethod
    def of(cls, request: HttpRequest) -> Self:
        """Returns the actor behind a request: an API key (a Principal stands for it), or staff."""
        # By an attribute: core must not import the Principal of `apikeys`.
        user: Any = request.user
        is_key = hasattr(user, "key_prefix")
        return cls(
            kind="key" if is_key else "staff",
            name=user.name if is_key else user.get_username(),
            id=user.id,
            request_id=request.headers.get("x-request-id", ""),
            address=request.META.get("REMOTE_ADDR", ""),
        )
