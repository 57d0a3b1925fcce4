"""Authentication by API key. Endpoints authenticate from memory, which the change feed empties."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from apikeys import keys, last_used, networks
from apikeys.errors import InvalidApiKey, NetworkNotAllowed
from apikeys.models import ApiKey
from apikeys.principal import Limits, Principal
from core import log_context
from core.database import in_thread
from core.feed import FeedCache

__all__ = ["ApiKeyAuthentication", "Principal", "authenticate", "principal_of"]

SCHEME = "Bearer"
_COLUMNS = ("key_prefix", "created_at", *ApiKey.FEED_COLUMNS)
"""What a principal is made of. The prefix changes along with the hash, the date never: no feed is needed."""


async def authenticate(authorization: str | None, address: str = "") -> Principal:
    """Returns the principal of an `Authorization` header. `address`: the caller's IP address.

    Raises InvalidApiKey and NetworkNotAllowed.
    """
    key_hash = keys.hash_key(_bearer_key(authorization))
    return _admitted(await _principals.get(key_hash), address)


def _bearer_key(authorization: str | None) -> str:
    if not authorization:
        raise InvalidApiKey("No API key was sent: add the header 'Authorization: Bearer <key>'.")
    scheme, _, key = authorization.partition(" ")
    # The checksum refuses mistyped keys here: unknown keys would fill the cache and ask the database.
    if scheme.lower() != SCHEME.lower() or not keys.is_well_formed(key):
        raise InvalidApiKey("The API key is not valid: it should look like ak-123456-... and be sent whole.")
    return key


def _admitted(principal: Principal | None, address: str) -> Principal:
    principal = _require_usable(principal)
    if not networks.allow(principal.networks, address):
        raise NetworkNotAllowed
    last_used.note(principal.id)
    log_context.key_prefix.set(principal.key_prefix)
    return principal


def _require_usable(principal: Principal | None) -> Principal:
    if principal is None:
        raise InvalidApiKey("The API key is not known: it was mistyped, rotated or deleted.")
    if principal.is_disabled:
        raise InvalidApiKey("The API key is disabled.")
    # Compared at each use: time passes without a change in the database that would empty the cache.
    if principal.expires_at is not None and principal.expires_at <= timezone.now():
        raise InvalidApiKey("The API key has expired.")
    return principal


class ApiKeyAuthentication(BaseAuthentication):
    """Authenticates requests to the management API, whose views run in threads, from the database.

    The cache belongs to the event loop, and a change of a key here must count for the very next request.
    """

    def authenticate(self, request: Request) -> tuple[Principal, None]:
        key = _bearer_key(request.headers.get("Authorization"))
        return _admitted(_find(keys.hash_key(key)), request.META.get("REMOTE_ADDR", "")), None

    def authenticate_header(self, request: Request) -> str:
        return SCHEME


def _find(key_hash: str) -> Principal | None:
    row = ApiKey.objects.with_key(key_hash).only(*_COLUMNS).first()
    if row is None:
        return None
    return _principal(row, key_hash)


def _principal(row: ApiKey, key_hash: str) -> Principal:
    # The secret from before the last rotation ends with its grace period.
    ends = [row.expires_at] if row.key_hash == key_hash else [row.expires_at, row.previous_key_until]
    return Principal(
        id=row.pk,
        name=row.name,
        key_prefix=row.key_prefix,
        can_manage=row.can_manage,
        can_call_assistant=row.can_call_assistant,
        can_approve=row.can_approve,
        is_disabled=row.is_disabled,
        expires_at=min((end for end in ends if end is not None), default=None),
        limits=Limits(*(getattr(row, name) for name in Limits.names())),
        networks=networks.parse(row.allowed_networks),
        key_hash=key_hash,
        created_at=row.created_at,
    )


@in_thread
def principal_of(api_key_id: int) -> Principal:
    """Returns the principal of a key that was authenticated earlier, for work in the background.

    Raises InvalidApiKey if the key has expired or was revoked since.
    """
    row = ApiKey.objects.filter(pk=api_key_id).first()
    principal = _require_usable(_principal(row, row.key_hash) if row else None)
    # Without the hash: such work is for the key, whatever its secret is by now, and no rotation ends it.
    return replace(principal, key_hash="")


def usable(api_key_ids: Collection[int]) -> dict[int, Principal]:
    """Returns the principals of those of these keys that may be used now, by id. It uses the ORM."""
    rows = ApiKey.objects.usable().filter(pk__in=api_key_ids).only(*_COLUMNS)
    # Without the hash, as above.
    return {row.pk: replace(_principal(row, row.key_hash), key_hash="") for row in rows}


@in_thread
def still_calling(principals: Collection[Principal]) -> dict[Principal, datetime | None]:
    """Returns those of these principals that may still call assistants, and when they end; None for never."""
    found: dict[Principal, datetime | None] = dict.fromkeys(_still_staff(principals))
    keys = [principal for principal in principals if principal.user_id is None]
    rows = ApiKey.objects.only(*_COLUMNS).in_bulk({principal.id for principal in keys})
    for principal in keys:
        row = rows.get(principal.id)
        if row and principal.key_hash in {"", row.key_hash, row.previous_key_hash}:
            now = _principal(row, principal.key_hash or row.key_hash)
            if now.can_call_assistant and _is_usable(now):
                found[principal] = now.expires_at
    return found


def _still_staff(principals: Collection[Principal]) -> list[Principal]:
    """Returns the members of staff among them who may still enter the console, and have their right."""
    staff = [(each.user_id, each) for each in principals if each.user_id is not None]
    users = User.objects.filter(is_active=True, is_staff=True).in_bulk([pk for pk, _ in staff])
    return [each for pk, each in staff if pk in users and users[pk].has_perm(each.permission)]


def _is_usable(principal: Principal) -> bool:
    try:
        _require_usable(principal)
    except InvalidApiKey:
        return False
    return True


_principals: FeedCache[str, Principal | None] = FeedCache(
    in_thread(_find), ["apikeys_apikey"], maxsize=10_000
)
