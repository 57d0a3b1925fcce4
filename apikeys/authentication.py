"""Who is calling. `authenticate` answers from memory; the change feed empties that memory."""

from dataclasses import dataclass
from datetime import datetime

from asgiref.sync import sync_to_async
from django.db import connection
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from apikeys import keys
from apikeys.errors import InvalidApiKey
from apikeys.feed import FeedCache
from apikeys.models import ApiKey

SCHEME = "Bearer"


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller behind a verified key. It stands where DRF puts a user."""

    id: int
    name: str
    key_prefix: str
    can_manage: bool
    can_call_assistant: bool
    is_disabled: bool
    expires_at: datetime | None
    """When this key stops to work: at its expiry, or with the grace period of a rotation."""

    is_authenticated = True


async def authenticate(authorization: str | None) -> Principal:
    """The principal of an `Authorization` header. Raises InvalidApiKey."""
    key_hash = keys.hash_key(_bearer_key(authorization))
    principal = await _principals.get(key_hash)
    return _require_usable(principal)


def _bearer_key(authorization: str | None) -> str:
    if not authorization:
        raise InvalidApiKey("No API key was sent: add the header 'Authorization: Bearer <key>'.")
    scheme, _, key = authorization.partition(" ")
    if scheme.lower() != SCHEME.lower() or not keys.is_well_formed(key):
        raise InvalidApiKey("The API key is not valid: it should look like ak-123456-... and be sent whole.")
    return key


def _require_usable(principal: Principal | None) -> Principal:
    if principal is None:
        raise InvalidApiKey("The API key is not known: it was mistyped, rotated or deleted.")
    if principal.is_disabled:
        raise InvalidApiKey("The API key is disabled.")
    if principal.expires_at is not None and principal.expires_at <= timezone.now():
        raise InvalidApiKey("The API key has expired.")
    return principal


class ApiKeyAuthentication(BaseAuthentication):
    """For the management API, whose views run in threads: asks the database each time."""

    def authenticate(self, request: Request) -> tuple[Principal, None]:
        key = _bearer_key(request.headers.get("Authorization"))
        return _require_usable(_find(keys.hash_key(key))), None

    def authenticate_header(self, request: Request) -> str:
        return SCHEME


def _find(key_hash: str) -> Principal | None:
    row = ApiKey.objects.with_key(key_hash).first()
    if row is None:
        return None
    ends = [row.expires_at] if row.key_hash == key_hash else [row.expires_at, row.previous_key_until]
    return Principal(
        id=row.pk,
        name=row.name,
        key_prefix=row.key_prefix,
        can_manage=row.can_manage,
        can_call_assistant=row.can_call_assistant,
        is_disabled=row.is_disabled,
        expires_at=min((end for end in ends if end is not None), default=None),
    )


def _load(key_hash: str) -> Principal | None:
    try:
        return _find(key_hash)
    finally:
        connection.close()  # back to the pool: a door has no request_finished to do it


_principals: FeedCache[str, Principal | None] = FeedCache(
    sync_to_async(_load, thread_sensitive=False), ["apikeys_apikey"], maxsize=10_000
)
