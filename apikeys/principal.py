"""The principal: the caller behind an authenticated API key, or a member of staff, with its limits."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Self

from apikeys.networks import Network


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a key; None means no limit. The names are those of the model's fields."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent_requests: int | None = None
    tokens_per_month: int | None = None

    @classmethod
    def names(cls) -> Iterator[str]:
        return (each.name for each in fields(cls))


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated API key. In the management API it is `request.user`.

    Of a member of staff who chats in the console, `user_id` and `name` are those of the user, and
    `permission` is the right (`app.codename`) by which they do; there is no key then, and `id` is 0.
    """

    id: int
    name: str
    key_prefix: str
    can_manage: bool
    can_call_assistant: bool
    is_disabled: bool
    expires_at: datetime | None
    """When this key stops working: at its expiry, or at the end of the grace period of a rotation."""
    limits: Limits = Limits()
    networks: tuple[Network, ...] = ()
    """The networks from which the key may be used; empty: from anywhere."""
    key_hash: str = field(default="", repr=False)
    """The hash of the secret that was presented; "" where none was, as for a response in the background."""

    can_approve: bool = False

    user_id: int | None = None
    permission: str = ""

    created_at: datetime | None = None
    """When the key was created; None where nobody knows."""

    is_authenticated = True

    @classmethod
    def of_user(cls, user_id: int, username: str, permission: str, limits: Limits) -> Self:
        return cls(0, username, "", False, True, False, None, limits, user_id=user_id, permission=permission)

    @property
    def limited_as(self) -> str:
        """The name under which its requests are counted."""
        return str(self.id) if self.user_id is None else f"user-{self.user_id}"
