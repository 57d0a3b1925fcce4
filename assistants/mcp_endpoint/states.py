"""What changes in a session: the level of its log, the resources that it follows, and whether it has ended.

It is in Redis. Each process remembers it, until the bus says that another one has changed it. While Redis is
away, what this process knows counts.
"""

from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from assistants.mcp_endpoint import bus
from assistants.mcp_endpoint.sessions import Session
from core.redis import StoreDown

_KEY = "mcp-connector:mcp-session:"
_CHANGED = "state"
_MOST = 4096


@dataclass(frozen=True, slots=True)
class State:
    """`log_level`: "" until the client has asked for a log. `resources`: URIs of those that it follows."""

    log_level: str = ""
    resources: frozenset[str] = frozenset()
    has_ended: bool = False


_known: OrderedDict[str, State] = OrderedDict()
_listeners: dict[str, set[Callable[[], None]]] = {}


async def of(session: Session) -> State:
    """Returns the state of a session."""
    state = _known.get(session.name)
    if state is None:
        state = await _stored(session.name)
        _remember(session.name, state)
    return state


async def change(session: Session, **changes: Any) -> None:
    """Changes fields of a session's state, for every process."""
    state = replace(await of(session), **changes)
    _remember(session.name, state)
    with suppress(StoreDown):
        await _store(session, state)
    _call_listeners(session.name)
    await bus.send(_CHANGED, session.name)


def on_change(session: Session, callback: Callable[[], None]) -> Callable[[], None]:
    """Has `callback` called when the state changes, here or elsewhere. Returns what ends that."""
    listeners = _listeners.setdefault(session.name, set())
    listeners.add(callback)

    def forget() -> None:
        listeners.discard(callback)
        if not listeners:
            _listeners.pop(session.name, None)

    return forget


async def _stored(name: str) -> State:
    try:
        async with bus.store.within_deadline() as redis:
            stored = await redis.hgetall(_KEY + name)
    except StoreDown:
        return State()
    fields = {bytes(key).decode(): bytes(value).decode() for key, value in stored.items()}  # type: ignore[arg-type]
    return State(
        fields.get("log_level", ""),
        frozenset(fields.get("resources", "").split()),
        has_ended="has_ended" in fields,
    )


async def _store(session: Session, state: State) -> None:
    fields: dict[Any, Any] = {"log_level": state.log_level, "resources": " ".join(sorted(state.resources))}
    if state.has_ended:
        fields["has_ended"] = "1"
    async with bus.store.within_deadline() as redis:
        await redis.hset(_KEY + session.name, mapping=fields)
        await redis.expireat(_KEY + session.name, int(session.expires_at) + 1)


def _remember(name: str, state: State) -> None:
    _known[name] = state
    _known.move_to_end(name)
    while len(_known) > _MOST:
        _known.popitem(last=False)


def _forget(name: str, _: Any) -> None:
    _known.pop(name, None)
    _call_listeners(name)


def _call_listeners(name: str) -> None:
    for callback in list(_listeners.get(name, ())):
        callback()


bus.receives(_CHANGED, _forget)
