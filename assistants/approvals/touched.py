"""What a conversation has touched: the labels of the tools that were called in it, and text that is not ours.

It is known where rules ask for it alone, by names in Redis: those of the session, of the response that a
request follows, and the digest of what its caller has seen. Whatever cannot be recognised counts as having
touched all that its assistant can touch, as does everything while Redis is away. So does, after Redis has
lost its data, what may have been in it: conversations that may be older than its `_EPOCH`. A replica that
has become the primary counts as one that has: what it had not heard of yet is lost.
"""

import hashlib
import logging
import time
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, Self

import orjson

from assistants import rules
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
"""Is in each set, with the id of the data that it was last added to: Redis keeps no empty one.

A set that is not of the present data may have lost what was added to it last. One of an older release has no
id, and is believed.
"""
_OURS = {"assistant", "tool"}
_SYSTEM = {"system", "developer"}
_EPOCH = "mcp-connector:touched:epoch"
"""When this Redis was first asked, by the clock of web processes. It goes when data are lost."""
_DATA = "mcp-connector:touched:data"
"""The id of the data since then. Redis gives them another when it starts, and when a replica is promoted."""
_store = SharedStore()

Messages = Sequence[Mapping[str, Any]]


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """What conversations touch is remembered, in this event loop, for as long as the context lasts."""
    async with _store.lifespan():
        with suppress(StoreDown):
            await _read([])
        yield


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

    def __init__(self, asker: Asker, past: Past, labels: frozenset[str], data: bytes | None = None) -> None:
        self.labels = labels
        self._asker, self._past, self._data = asker, past, data
        self._answer: list[str] = []
        self._calls: list[dict[str, Any]] = []

    @classmethod
    async def of(cls, asker: Asker, past: Past | None = None) -> Self | None:
        """Returns what a run that goes on from `past` has touched, or one call. None: no rule looks at it."""
        for assistant in asker.beside or (asker.assistant,):
            ruleset = await rules.of(assistant.id if assistant else None, asker.principal.id)
            if ruleset.reads_touched:
                return await (cls.of_call(asker) if past is None else cls.of_chat(asker, past))
        return None

    @classmethod
    async def of_chat(cls, asker: Asker, past: Past) -> Self:
        """Returns what the conversation before a run has touched."""
        # Without our sentences, which a caller may have shown otherwise than they were.
        said = sentences.cut_from_all(past.said)
        past = Past(said, past.follows, past.answers_as)
        try:
            labels, data = await _touched_before(asker, past)
            await _add(_lasting(asker), labels, data)
        except StoreDown:
            labels, data = _all_of(asker), None
        return cls(asker, past, labels, data)

    @classmethod
    async def of_call(cls, asker: Asker) -> Self:
        """Returns what was touched by the calls before one over MCP or REST."""
        try:
            found, epoch, data = await _read(_lasting(asker))
        except StoreDown:
            return cls(asker, Past(), _all_of(asker))
        is_lost = None in found and _may_have_begun(asker) < epoch
        labels = _all_of(asker) if is_lost else frozenset().union(*filter(None, found))
        return cls(asker, Past(), labels, data)

    async def note(self, labels: Collection[str]) -> bool:
        """Adds the labels of a call that is about to be made. Returns False if they cannot be remembered.

        What is touched again is remembered from then on.
        """
        self.labels |= frozenset(labels)
        try:
            await _add(_lasting(self._asker), self.labels if labels else (), self._data)
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
            await _add([*names, *_lasting(self._asker)], self.labels, self._data, is_new=True)
        except StoreDown:
            log.warning("What a conversation has touched is lost: it counts as having touched everything.")


async def _touched_before(asker: Asker, past: Past) -> tuple[frozenset[str], bytes | None]:
    """Returns the labels, and the id of the data that know them, if any do. Raises StoreDown."""
    names = _lasting(asker)
    beginning = _up_to_answer(past.said)
    if beginning:
        names.append(_seen(asker, beginning))
    if past.follows:
        names.append(_name(asker, "answer", past.follows))
    found, _, data = await _read(names) if names else ([], 0, None)
    is_new_session = bool(asker.session) and found[0] is None and await _is_new(asker)
    unknown = [each for each in (found[1:] if is_new_session else found) if each is None]
    labels = _all_of(asker) if unknown else frozenset().union(*filter(None, found))
    return labels | _foreign(past.said, beginning), data


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
    labels = _FOREIGN
    for assistant in asker.beside or (asker.assistant,):
        if assistant is None:
            return EVERYTHING
        labels = labels.union(*(function.labels for function in assistant.functions))
    return labels


def _may_have_begun(asker: Asker) -> float:
    """Returns since when calls may belong to a conversation: seconds since 1970."""
    if asker.session:
        return asker.session_opened_at
    issued = asker.principal.created_at
    return max(time.time() - STATELESS_TTL_S, issued.timestamp() if issued else 0)


def _lasting(asker: Asker) -> list[str]:
    """Returns the names under which labels are kept while a run goes on, or a client calls.

    A client has the tools of several assistants in one context: what one of them brings in, all have touched.
    """
    if asker.kind == RunKind.CHAT:
        return [_name(asker, "session", asker.session)] if asker.session else []
    if asker.session:
        return [_name(replace(asker, assistant=None), "session", asker.session)]
    return [_name(replace(asker, assistant=each), "calls", "") for each in asker.beside or (asker.assistant,)]


def _seen(asker: Asker, messages: Messages) -> str:
    return _name(asker, "seen", transcripts.digest(messages))


def _name(asker: Asker, kind: str, of: str) -> str:
    assistant = asker.assistant.id if asker.assistant else None
    whole = orjson.dumps([asker.owner, asker.end_user, assistant, kind, of])
    return f"mcp-connector:touched:{kind}:{hashlib.sha256(whole).hexdigest()}"


async def _read(names: Sequence[str]) -> tuple[list[frozenset[str] | None], float, bytes]:
    """Returns the labels under each name, None for one that is not known, the epoch, and the id of the data.

    Raises StoreDown.
    """
    async with _store.within_deadline() as redis:
        pipeline = redis.pipeline(transaction=False)
        for name in names:
            pipeline.smembers(name)
        # After the names: data that are lost in between must not leave an epoch from before.
        pipeline.mget(_EPOCH, _DATA)
        pipeline.info("replication")
        *found, (epoch, noted), info = await pipeline.execute()
        data = info["master_replid"].encode()
        if epoch is None or noted != data:
            if epoch is None or noted is not None:  # else this release is the first to ask
                epoch = time.time()
            await redis.mset({_EPOCH: epoch, _DATA: data})
    return [_labels(members, data) for members in found], float(epoch), data


def _labels(members: Collection[bytes], data: bytes) -> frozenset[str] | None:
    if not {_KNOWN, _KNOWN + data}.intersection(members):
        return None
    return frozenset(each.decode() for each in members if not each.startswith(_KNOWN))


async def _add(
    names: Sequence[str], labels: Collection[str], data: bytes | None, *, is_new: bool = False
) -> None:
    """Adds labels under each name; `is_new`: the name becomes known even without one. Raises StoreDown.

    `data`: the id of the data that all other labels of the names were read from, if they were.
    """
    if not names or not (labels or is_new):
        return
    if data is None:
        data = (await _read(()))[2]
    async with _store.within_deadline() as redis:
        pipeline = redis.pipeline(transaction=True)
        for name in names:
            pipeline.sadd(name, _KNOWN + data, *labels)
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
