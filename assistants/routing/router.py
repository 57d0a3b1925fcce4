"""Chooses among the assistants that a key may call, from memory: by what they mean, else by their words."""

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import mul
from typing import Any, Literal

from django.conf import settings

from apikeys.principal import Principal
from assistants import catalogue
from assistants.catalogue.entries import AssistantEntry
from assistants.errors import ModelNotFound, NoAssistantFits
from assistants.routing import last_assistant, lexical
from tools.search.embedder import EmbedderFailed, active

log = logging.getLogger(__name__)

AUTO = "auto"
DEADLINE_S = 2.0
WORDS_WEIGHT = 0.05
ENOUGH_WORDS = 0.08
"""Where there are words alone: the share of what a text says that an assistant must say too."""
_MOST_TEXTS = 8
_LONGEST_TEXT = 2_000
_MOST_NAMED = 20

Choices = Sequence[AssistantEntry]


@dataclass(frozen=True, slots=True)
class Route:
    """Who answers, and as which model. `by` says why: the caller named it, or else how it was chosen.

    `score`: how like it the conversation is, from 0 to about 1, where that decided.
    """

    assistant: AssistantEntry
    model: str
    by: Literal["name", "embedding", "words", "session"] = "name"
    score: float | None = None

    @property
    def told(self) -> dict[str, Any]:
        """What a caller is told of a choice: nothing where there was none."""
        if self.by == "name":
            return {}
        score = None if self.score is None else round(self.score, 3)
        return {"routing": {"assistant": self.assistant.slug, "by": self.by, "score": score}}


@dataclass(frozen=True, slots=True)
class Nearest:
    """The assistant that a text is most like, and the score from which on it may answer."""

    assistant: AssistantEntry
    by: Literal["embedding", "words"]
    score: float
    enough: float


async def route(
    model: str, principal: Principal, said: Sequence[Mapping[str, Any]], session_id: str | None = None
) -> Route:
    """The assistant that the caller named as `model`, or for `auto` the one that the conversation is for.

    `said`: chat messages, or items of the Responses API. A session stays with the assistant that answered in
    it last. Without one, the first text of the user's that fits an assistant decides: what is said later
    changes nothing. Raises ModelNotFound and NoAssistantFits.
    """
    if model != AUTO:
        return Route(await catalogue.find(model, principal), model)
    choices = await catalogue.callable_by(principal)
    if not choices:
        raise ModelNotFound
    if session_id is None:
        return await _chosen(choices, said)
    known = await last_assistant.answering(principal.id, session_id)
    if standing := next((entry for entry in choices if entry.id == known), None):
        return Route(standing, standing.slug, "session")
    chosen = await _chosen(choices, said)
    last_assistant.remember(principal.id, session_id, chosen.assistant.id)
    return chosen


async def _chosen(choices: Choices, said: Sequence[Mapping[str, Any]]) -> Route:
    nearest: Nearest | None = None
    for text in islice(_texts(said), _MOST_TEXTS):
        best = await _nearest(choices, text)
        if best.score >= best.enough:
            return Route(best.assistant, best.assistant.slug, best.by, best.score)
        nearest = best
    raise NoAssistantFits(_refusal(choices, nearest))


def _refusal(choices: Choices, nearest: Nearest | None) -> str:
    why = "There is no text to choose an assistant by."
    if nearest is not None:
        why = (
            f"None of your assistants fits the request: the nearest is {nearest.assistant.slug}, with"
            f" {nearest.score:.2f} where {nearest.enough:.2f} are needed."
        )
    slugs = [entry.slug for entry in choices]
    others = f", and {len(slugs) - _MOST_NAMED} more" if len(slugs) > _MOST_NAMED else ""
    return f"{why} Name one as 'model': {', '.join(slugs[:_MOST_NAMED])}{others}."


def _texts(said: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What the user said, in order."""
    for message in said:
        if message.get("role") == "user" and (text := _text(message.get("content"))):
            yield text


def _text(content: Any) -> str:
    parts = [content] if isinstance(content, str) else [str(part.get("text") or "") for part in content or ()]
    whole = " ".join(parts)[: 2 * _LONGEST_TEXT]
    printable = "".join(letter if letter.isprintable() else " " for letter in whole)
    return " ".join(printable.split())[:_LONGEST_TEXT]


async def _nearest(choices: Choices, text: str) -> Nearest:
    shares = lexical.shares(choices, text)
    vector, embedder = await _vector(text)
    likenesses = [_likeness(entry, vector, embedder) for entry in choices]
    if all(likeness is None for likeness in likenesses):
        return _best(choices, shares, "words", ENOUGH_WORDS)
    most = max(shares) or 1.0
    scores = [
        (likeness or 0.0) + WORDS_WEIGHT * share / most
        for likeness, share in zip(likenesses, shares, strict=True)
    ]
    return _best(choices, scores, "embedding", settings.ROUTING_THRESHOLD)


def _best(
    choices: Choices, scores: Sequence[float], by: Literal["embedding", "words"], enough: float
) -> Nearest:
    """Of equals the first by slug, as the choices come."""
    score = max(scores)
    return Nearest(choices[scores.index(score)], by, score, enough)


async def _vector(text: str) -> tuple[Sequence[float], str]:
    """With its embedder's name; empty where there is no embedder, or it fails."""
    embedder = active()
    if embedder is None:
        return (), ""
    try:
        async with asyncio.timeout(DEADLINE_S):
            (vector,) = await embedder.embed_query([text])
    except EmbedderFailed as failure:
        log.warning("An assistant is chosen by words alone: %s", failure.reason)
        return (), ""
    except TimeoutError:
        log.warning("An assistant is chosen by words alone: the embedder did not answer in time.")
        return (), ""
    return vector, embedder.name


def _likeness(assistant: AssistantEntry, vector: Sequence[float], embedder: str) -> float | None:
    """From 0 to 1: half by the assistant, half by that of its servers which is most like. None: not known."""
    own = _cosine(vector, assistant.vectors.get(embedder))
    servers = [_cosine(vector, server.vectors.get(embedder)) for server in assistant.servers]
    known = [cosine for cosine in servers if cosine is not None]
    if own is None:
        return None
    return max((own + max(known)) / 2 if known else own, 0.0)


def _cosine(one: Sequence[float], other: Sequence[float] | None) -> float | None:
    """Of vectors of length 1; None where they cannot be compared."""
    return sum(map(mul, one, other)) if one and other and len(one) == len(other) else None
