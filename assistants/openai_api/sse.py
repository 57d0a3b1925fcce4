"""Server-sent events as every stream of both APIs sends them."""

from typing import Any

import orjson

DONE = b"data: [DONE]\n\n"
HEARTBEAT = b": still working\n\n"


def error_event(envelope: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(envelope) + b"\n\n"
