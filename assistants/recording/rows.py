"""Writes records as rows, with one statement a table for any number of runs."""

import logging
from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import Any

import orjson
from django.db import DataError, IntegrityError, connection, transaction
from django.utils import timezone

from assistants.approvals import codes, made_calls
from assistants.models import Conversation, Run, ToolCall
from assistants.recording.records import CallRecord, RunRecord

log = logging.getLogger(__name__)

_CHANGING = (
    "status", "rounds", "prompt_tokens", "completion_tokens", "usage_estimated", "server_tool_calls",
    "first_token_ms", "duration_ms", "error", "answer", "selection", "model_rounds", "unavailable",
)  # fmt: skip
_Row = dict[str, Any]
"""By the names of columns. None and what is missing are NULL."""
_REFUSED = (DataError, IntegrityError, orjson.JSONEncodeError)
_Session = tuple[int, str]
"""The id of the key, and the caller's name for the session."""


def _insertion(model: type[Run | ToolCall]) -> str:
    """Returns the statement that inserts rows, which are JSON.

    The ORM prepares each value on its own. For a short call of a tool that costs more than all else in this
    process (docs/decisions/0024-calls-without-a-model-are-written-once.md).
    """
    table = model._meta.db_table
    names = ", ".join(str(each.column) for each in model._meta.concrete_fields if not each.primary_key)
    return f"INSERT INTO {table} ({names}) SELECT {names} FROM jsonb_populate_recordset(NULL::{table}, %s)"  # noqa: S608 - names of ours


_INSERT_RUNS = (
    f"{_insertion(Run)} ON CONFLICT (run_id) DO UPDATE SET "
    f"{', '.join(f'{name} = excluded.{name}' for name in _CHANGING)} RETURNING run_id, id"
)
_INSERT_CALLS = f"{_insertion(ToolCall)} ON CONFLICT DO NOTHING"


def write(records: Iterable[RunRecord]) -> None:
    """Writes each run as the last of its records has it, whether it is a row already or not.

    A record that the database refuses is logged and left out; the others are written.
    """
    latest = {record.origin.run_id: record for record in records}.values()
    try:
        _write(latest)
    except _REFUSED:
        for record in latest:
            _write_alone(record)


def _write_alone(record: RunRecord) -> None:
    try:
        _write([record])
    except _REFUSED as error:
        log.error("Run %s cannot be recorded: %s", record.origin.run_id, type(error).__name__)


@transaction.atomic
def _write(records: Collection[RunRecord]) -> None:
    conversations = _conversations(records)
    runs = [_run(record, conversations.get(_session(record))) for record in records]
    with connection.cursor() as cursor:
        cursor.execute(_INSERT_RUNS, [_json(runs)])
        ids = dict(cursor.fetchall())
        calls = [
            _call(record, ids[record.origin.run_id], position, call)
            for record in records
            for position, call in enumerate(record.calls)
        ]
        if calls:
            cursor.execute(_INSERT_CALLS, [_json(calls)])
    if waiting := [call["approval"] for call in calls if call["approval"] and call["error"] == codes.PENDING]:
        made_calls.record_made(waiting)


def _json(rows: list[_Row]) -> str:
    return orjson.dumps(rows).decode()


def _session(record: RunRecord) -> _Session:
    return record.origin.principal.id, record.origin.session_id or ""


def _conversations(records: Iterable[RunRecord]) -> dict[_Session, int]:
    """Creates the sessions that are new, and returns the ids of all that the runs belong to."""
    latest = {_session(record): record for record in records if record.origin.session_id}
    if not latest:
        return {}
    # Sorted: two processes that write the same sessions in two orders would wait for each other.
    rows = Conversation.objects.bulk_create(
        [_conversation(session, latest[session]) for session in sorted(latest)],
        update_conflicts=True,
        unique_fields=["api_key", "external_id"],
        update_fields=["assistant", "last_run_at"],
    )
    return {(row.api_key_id, row.external_id): row.pk for row in rows}


def _conversation(session: _Session, record: RunRecord) -> Conversation:
    return Conversation(
        api_key_id=session[0],
        external_id=session[1],
        assistant_id=record.assistant_id,
        created_at=record.started_at,
        last_run_at=timezone.now(),
    )


def _run(record: RunRecord, conversation_id: int | None) -> _Row:
    principal = record.origin.principal
    is_key = principal.user_id is None
    return {
        "kind": record.kind,
        "run_id": record.origin.run_id,
        "request_id": record.origin.request_id,
        "api_key_id": principal.id if is_key else None,
        "api_key_name": principal.name if is_key else "",
        "username": "" if is_key else principal.name,
        "end_user": record.origin.end_user,
        "key_prefix": principal.key_prefix,
        "assistant_id": record.assistant_id,
        "assistant_slug": record.assistant_slug,
        "conversation_id": conversation_id,
        "model": record.model,
        "status": record.status,
        "rounds": record.rounds,
        "prompt_tokens": record.prompt_tokens,
        "completion_tokens": record.completion_tokens,
        "usage_estimated": record.usage_estimated,
        "server_tool_calls": len(record.calls),
        "started_at": record.started_at,
        "first_token_ms": record.first_token_ms,
        "duration_ms": record.duration_ms,
        "error": record.error,
        "request": record.request,
        "answer": record.answer,
        "selection": record.selection,
        "model_rounds": record.model_rounds,
        "unavailable": record.unavailable,
    }


def _call(record: RunRecord, run_id: int, position: int, call: CallRecord) -> _Row:
    return {
        "run_id": run_id,
        "position": position,
        "mcp_tool_id": call.server_id,
        "server": call.server,
        "function": call.function,
        "status": call.status,
        "started_at": record.started_at + timedelta(milliseconds=call.started_ms),
        "duration_ms": call.duration_ms,
        "error": call.error,
        "result_size": call.result_size,
        "approval": call.approval,
        "arguments": call.arguments,
        "result": call.result,
    }
