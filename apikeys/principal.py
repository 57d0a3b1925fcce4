"""The caller behind a verified key, and what it may use."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime

from apikeys.networks import Network


@dataclass(frozen=True, slots=True)
class Limits:
    """None: without limit."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent_requests: int | None = None
    tokens_per_month: int | None = None

    @classmethod
    def names(cls) -> Iterator[str]:
        return (field.name for field in fields(cls))


@dataclass(frozen=True, slots=True)
class Principal:
    """It stands where DRF puts a user."""

    id: int
    name: str
    key_prefix: str
    can_manage: bool
    can_call_assistant: bool
    is_disabled: bool
    expires_at: datetime | None
    """When this key stops to work: at its expiry, or with the grace period of a rotation."""
    limits: Limits = Limits()
    networks: tuple[Network, ...] = ()
    """Where the key may be used from; empty: from anywhere."""

    is_authenticated = True
