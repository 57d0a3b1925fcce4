"""Requests that are being answered, so that their client can cancel them from any connection."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from assistants.mcp_endpoint import bus
from assistants.mcp_endpoint.messages import MessageId
from assistants.mcp_endpoint.sessions import Session

_CANCEL = "cancel"

_running: dict[tuple[str, MessageId], asyncio.Task[object]] = {}


@contextmanager
def cancellable_by(session: Session, request_id: MessageId) -> Iterator[None]:
    """The present task can be cancelled by its session, for as long as the context lasts."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - requests are answered in tasks
    key = session.name, request_id
    _running[key] = task
    try:
        yield
    finally:
        if _running.get(key) is task:
            del _running[key]


async def cancel(session: Session, request_id: MessageId) -> None:
    """Ends a request of the session, in whichever process it is."""
    if not _cancel(session.name, request_id):
        await bus.send(_CANCEL, session.name, request_id)


def _cancel(session: str, request_id: MessageId) -> bool:
    task = _running.get((session, request_id))
    return task.cancel() if task is not None else False


bus.receives(_CANCEL, _cancel)
