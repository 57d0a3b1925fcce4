"""Sessions of MCP clients. A session's id holds all that we know of it, signed: any web process can read it.

Nothing is stored of a session that only calls and lists. So a client may go on after a restart of ours, and
ten thousand that were opened and forgotten take no memory.
"""

import base64
import hmac
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Any

import orjson
from django.conf import settings

from connector.wire.asking import askable

_FIRST_WITH_ELICITATION = "2025-06-18"
_NONCE = 12
_LONGEST_ID = 1024


@dataclass(frozen=True, slots=True)
class Session:
    """`name` is unique and, unlike the id, no secret. `address` is the path at which it was opened.

    `expires_at` and `opened_at` are seconds since 1970; the latter is 0 if an older version opened it.
    """

    id: str = field(repr=False)
    name: str
    key_id: int
    address: str
    version: str
    capabilities: Mapping[str, Any]
    expires_at: float
    opened_at: float = 0.0


def opened(key_id: int, address: str, version: str, capabilities: Any) -> Session:
    """Returns a new session. Of `capabilities` it keeps what lets servers ask back."""
    name = secrets.token_urlsafe(_NONCE)
    opened_at = time.time()
    expires_at = int(opened_at) + settings.MCP_SESSION_S
    kept = askable(capabilities)
    if version < _FIRST_WITH_ELICITATION:
        kept.pop("elicitation", None)
    payload = _encoded(orjson.dumps([name, key_id, address, version, kept, expires_at, opened_at]))
    session_id = f"{payload}.{_signature(payload)}"
    return Session(session_id, name, key_id, address, version, kept, expires_at, opened_at)


def read(session_id: str) -> Session | None:
    """Returns the session of an id; None if the id is not ours, or the session has expired."""
    if len(session_id) > _LONGEST_ID:
        return None
    session = _read(session_id)
    return session if session is not None and session.expires_at > time.time() else None


@lru_cache(maxsize=4096)
def _read(session_id: str) -> Session | None:
    payload, _, signature = session_id.partition(".")
    if not hmac.compare_digest(signature.encode(), _signature(payload).encode()):
        return None
    values = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    # A later release may have put more behind them.
    return Session(session_id, *values[: len(fields(Session)) - 1])


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _signature(payload: str) -> str:
    key = b"mcp session" + settings.SECRET_KEY.encode()
    return _encoded(hmac.digest(key, payload.encode(), "sha256")[:18])
