"""The tools that a session's runs have called, which the selection for its next run prefers.

The caller's messages do not show them: it sends texts again, not the calls of our servers' tools. They are
read from the rows, and from this process's memory for calls that are not written yet.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Mapping
from weakref import WeakKeyDictionary

from assistants.catalogue.entries import AssistantEntry
from assistants.models import ToolCall
from assistants.recording.records import Origin
from core.database import DATABASE_ERRORS, in_thread

log = logging.getLogger(__name__)

MOST = 64
_MOST_SESSIONS = 10_000
_PATIENCE_S = 0.5
_Session = tuple[int, str, int]
"""The ids of key and assistant, between them the caller's own name for the session."""

_latest: OrderedDict[_Session, OrderedDict[str, None]] = OrderedDict()


def note(origin: Origin, assistant: AssistantEntry, public_name: str) -> None:
    """Remembers that a tool is being called now."""
    if assistant.selection != "retrieved" or not origin.session_id:
        return
    session = _session(origin, assistant)
    names = _latest.setdefault(session, OrderedDict())
    _latest.move_to_end(session)
    names[public_name] = None
    names.move_to_end(public_name)
    while len(names) > MOST:
        names.popitem(last=False)
    while len(_latest) > _MOST_SESSIONS:
        _latest.popitem(last=False)


async def used(origin: Origin, assistant: AssistantEntry) -> list[str]:
    """Returns public names, the latest first; none for an assistant that does not select by request."""
    if assistant.selection != "retrieved" or not origin.session_id:
        return []
    session = _session(origin, assistant)
    try:
        async with asyncio.timeout(_PATIENCE_S):
            stored = await _stored(session)
    except DATABASE_ERRORS as error:
        log.warning("The tools that a session has called cannot be read: %s", type(error).__name__)
        stored = []
    names = _public_names(assistant) if stored else {}
    known = [names[call] for call in stored if call in names]
    return list(dict.fromkeys([*reversed(_latest.get(session, ())), *known]))


def _public_names(assistant: AssistantEntry) -> Mapping[tuple[int, str], str]:
    """Returns the public names of an assistant's functions, by server and name. Made once for the entry."""
    names = _names.get(assistant)
    if names is None:
        functions = assistant.functions
        names = _names[assistant] = {(each.server_id, each.name): each.public_name for each in functions}
    return names


_names: WeakKeyDictionary[AssistantEntry, Mapping[tuple[int, str], str]] = WeakKeyDictionary()


@in_thread
def _stored(session: _Session) -> list[tuple[int, str]]:
    api_key_id, external_id, assistant_id = session
    calls = ToolCall.objects.filter(
        run__conversation__api_key_id=api_key_id,
        run__conversation__external_id=external_id,
        run__assistant_id=assistant_id,
    )
    latest = calls.order_by("-run_id", "-position").values_list("mcp_tool_id", "function")
    return list(latest[:MOST])


def _session(origin: Origin, assistant: AssistantEntry) -> _Session:
    return origin.principal.id, origin.session_id or "", assistant.id
