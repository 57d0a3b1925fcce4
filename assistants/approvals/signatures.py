"""Signatures of calls: equal calls, of one function with equal arguments, have the same."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import orjson

from assistants.catalogue import FunctionEntry


def signature(function: FunctionEntry, arguments: Mapping[str, Any]) -> str:
    call = [function.server_id, function.name, arguments]
    return sha256(orjson.dumps(call, option=orjson.OPT_SORT_KEYS)).hexdigest()
