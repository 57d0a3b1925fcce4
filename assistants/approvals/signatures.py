"""Signatures of calls: equal calls, of one function with equal arguments, have the same."""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from assistants.catalogue import FunctionEntry


def signature(function: FunctionEntry, arguments: Mapping[str, Any]) -> str:
    call = [function.server_id, function.name, arguments]
    # Not orjson, which refuses integers beyond 64 bits, and texts with lone surrogates.
    return sha256(json.dumps(call, sort_keys=True).encode()).hexdigest()
