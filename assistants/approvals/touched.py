"""What a conversation has touched: the labels of the tools that were called in it, and text that is not ours.

It is known where rules ask for it alone, by names in Redis: those of the session, of the response that a
request follows, and the digest of what its caller has seen. Whatever cannot be recognised counts as having
touched all that its assistant can touch, as does everything while Redis is away.
"""

import hashlib
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import orjson

from assistants.approvals import sentences, transcripts
from assistants.approvals.asking import Asker
from assistants.events import ClientToolCalls, Finished, RefusalDelta, RunEvent, TextDelta
from assistants.models import Conversation, RunKind
from core.database import DATABASE_ERRORS, in_thread
from core.redis import SharedStore, StoreDown
from tools.choices import Label

log = logging.getLogger(__name__)

TTL_S = 7 * 24 * 3600
STATELESS_TTL_S = 24 * 3600
"""For calls that belong to no session: they count as one conversation of key, end user and assistant."""
EVERYTHING = frozenset(Label.values)
_FOREIGN = frozenset({Label.FOREIGN_TEXT.value})
_KNOWN = b"-"
"""Is in each set: Redis keeps no empty one."""
_OURS = {"assistant", "tool"}
_SYSTEM = {"system", "developer"}
_store = SharedStore()
lifespan = _store.lifespan

Messages = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Past:
    """What a request says of its conversation.

    `said`: the messages that its caller has sent itself; others come from where we stored them. `follows`:
    the earlier answer that it names. `answers_as`: the name by which a later request may follow this one.
    """

    said: Messages = ()
    follows: str = ""
    answers_as: str = ""


class Touched:
    """The labels of one conversation, for the gate of a run. As an observer it sees the run's answer."""

    def __init__(self, asker: Asker, past: Past, labels: frozenset[str]) -> None:
        self.labels = labels
        self._asker, self._past = asker, past
        self._answer: list[str] = []
        self._calls: list[dict[str, Any]] = []

    @classmethod
    async def of_chat(cls, asker: Asker, past: Past) -> Self:
        """Returns what the conversation before a run has touched."""
        # Without our sentences, which a caller may have shown otherwise than they were.
        said = [sentences.cut_from(message) for message in past.said]
        past = Past(said, past.follows, past.answers_as)
        try:
            labels = await _touched_before(asker, past)
            await _add(_lasting(asker), labels)
        except StoreDown:
            labels = _all_of(asker)
        return cls(asker, past, labels)

    @classmethod
    async def of_call(cls, asker: Asker) -> Self:
        """Returns what was touched by the calls before one over MCP or REST."""
        try:
            found = await _read(_lasting(asker))
        except StoreDown:
            return cls(asker, Past(), _all_of(asker))
        return cls(asker, Past(), frozenset().union(*filter(None, found)))

    async def note(self, labels: Collection[str]) -> bool:
        """Adds the labels of a call that is about to be made. Returns False if they cannot be remembered.

        What is touched again is remembered from then on.
        """
        self.labels |= frozenset(labels)
        try:
            await _add(_lasting(self._asker), self.labels if labels else ())
        except StoreDown:
            return False
        return True

    async def on_event(self, event: RunEvent) -> None:
        """Remembers the answer before its caller has the end of it."""
        match event:
            case TextDelta() | RefusalDelta():
                self._answer.append(event.storable)
            case ClientToolCalls():
                self._calls = [call.openai for call in event.calls]
            case Finished():
                await self._save()

    async def _save(self) -> None:
        answer = {"role": "assistant", "content": "".join(self._answer), "tool_calls": self._calls}
        names = [_seen(self._asker, [*self._past.said, answer])]
        if self._past.answers_as:
            names.append(_name(self._asker, "answer", self._past.answers_as))
        try:
            await _add([*names, *_lasting(self._asker)], self.labels, is_new=True)
        except StoreDown:
            log.warning("What a conversation has touched is lost: it counts as having touched everything.")


async def note(askers: Iterable[Asker], labels: Collection[str]) -> bool:
    """Adds labels to what the conversations of MCP clients have touched. Returns False if it cannot."""
    try:
        await _add([name for asker in askers for name in _lasting(asker)], labels)
    except StoreDown:
        return False
    return True


async def _touched_before(asker: Asker, past: Past) -> frozenset[str]:
    """Raises StoreDown."""
    names = _lasting(asker)
    beginning = _up_to_answer(past.said)
    if beginning:
        names.append(_seen(asker, beginning))
    if past.follows:
        names.append(_name(asker, "answer", past.follows))
    found = await _read(names)
    is_new_session = bool(asker.session) and found[0] is None and await _is_new(asker)
    unknown = [each for each in (found[1:] if is_new_session else found) if each is None]
    labels = _all_of(asker) if unknown else frozenset().union(*filter(None, found))
    return labels | _foreign(past.said, beginning)


def _up_to_answer(said: Messages) -> Messages:
    """Returns the messages up to the last that we should have said."""
    ours = [index for index, message in enumerate(said) if message["role"] == "assistant"]
    return said[: ours[-1] + 1] if ours else ()


def _foreign(said: Messages, beginning: Messages) -> frozenset[str]:
    """Texts of a system, and results of the caller's tools, are not ours, and not its user's."""
    texts = [message for message in said if message["role"] in _SYSTEM]
    results = [message for message in said[len(beginning) :] if message["role"] in _OURS]
    return _FOREIGN if texts or results else frozenset()


def _all_of(asker: Asker) -> frozenset[str]:
    """Returns all that the conversation may have touched; a text that nobody knows is foreign."""
    if asker.assistant is None:
        return EVERYTHING
    return _FOREIGN.union(*(function.labels for function in asker.assistant.functions))


def _lasting(asker: Asker) -> list[str]:
    """Returns the name under which labels are kept while a run goes on, where the conversation has one."""
    if asker.session:
        return [_name(asker, "session", asker.session)]
    return [] if asker.kind == RunKind.CHAT else [_name(asker, "calls", "")]


def _seen(asker: Asker, messages: Messages) -> str:
    return _name(asker, "seen", transcripts.digest(messages))


def _name(asker: Asker, kind: str, of: str) -> str:
    assistant = asker.assistant.id if asker.assistant else None
    whole = orjson.dumps([asker.owner, asker.end_user, assistant, kind, of])
    return f"mcp-connector:touched:{kind}:{hashlib.sha256(whole).hexdigest()}"


async def _read(names: Sequence[str]) -> list[frozenset[str] | None]:
    """Returns the labels under each name; None for a name that is not known. Raises StoreDown."""
    if not names:
        return []
    async with _store.within_deadline() as redis:
        pipeline = redis.pipeline(transaction=False)
        for name in names:
            pipeline.smembers(name)
        found = await pipeline.execute()
    return [frozenset(each.decode() for each in members - {_KNOWN}) if members else None for members in found]


async def _add(names: Sequence[str], labels: Collection[str], *, is_new: bool = False) -> None:
    """Adds labels under each name; `is_new`: the name becomes known even without one. Raises StoreDown."""
    if not names or not (labels or is_new):
        return
    async with _store.within_deadline() as redis:
        pipeline = redis.pipeline(transaction=True)
        for name in names:
            pipeline.sadd(name, _KNOWN, *labels)
            pipeline.expire(name, STATELESS_TTL_S if ":calls:" in name else TTL_S)
        await pipeline.execute()


async def _is_new(asker: Asker) -> bool:
    """Whether no run of the session is on record: what it touched may have been forgotten since."""
    try:
        return not await _is_recorded(asker.principal.id, asker.session)
    except DATABASE_ERRORS:
        return False


@in_thread
def _is_recorded(api_key_id: int, session: str) -> bool:
    return Conversation.objects.filter(api_key_id=api_key_id, external_id=session).exists()
