"""Runs' records as JSON, for the outbox."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from apikeys.principal import Principal
from assistants.models import RunKind, RunStatus, ToolCall
from assistants.recording.records import CallRecord, Origin, RunRecord
from connector.wire.known import known

_PRINCIPAL = ("id", "name", "key_prefix", "can_manage", "can_call_assistant", "is_disabled", "user_id")


def dump(record: RunRecord) -> dict[str, Any]:
    """Of the key, only the fields are left that a row has."""
    dumped: dict[str, Any] = orjson.loads(orjson.dumps(record, default=str))
    principal = dumped["origin"]["principal"]
    dumped["origin"]["principal"] = {name: principal[name] for name in _PRINCIPAL}
    return dumped


def load(dumped: Mapping[str, Any]) -> RunRecord:
    """Leaves out what only a later release knows.

    Raises LookupError, TypeError or ValueError for a record that none but a later release can read.
    """
    origin = dumped["origin"]
    calls = (
        known(CallRecord, {**call, "status": ToolCall.Status(call["status"])}) for call in dumped["calls"]
    )
    principal = known(Principal, {**origin["principal"], "expires_at": None})
    fields: dict[str, Any] = {
        **dumped,
        "origin": known(Origin, {**origin, "principal": principal}),
        "started_at": datetime.fromisoformat(dumped["started_at"]),
        "status": RunStatus(dumped["status"]),
        # A record that an older release left has no kind.
        "kind": RunKind(dumped.get("kind", RunKind.CHAT)),
        "calls": tuple(calls),
    }
    return known(RunRecord, fields)
