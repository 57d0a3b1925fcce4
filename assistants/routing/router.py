"""Routes the model `auto` to one of the assistants that a key may call, from memory.

A text is compared with each assistant by meaning (vectors), or where there is no vector, by vocabulary alone.
"""

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
LEXICAL_WEIGHT = 0.05
"""The most that shared vocabulary adds to a cosine: it decides between assistants of like meaning."""
LEXICAL_THRESHOLD = 0.08
"""Without vectors: the share of a text's vocabulary that an assistant must have, see `lexical.shares`."""
_MOST_TEXTS = 8
_LONGEST_TEXT = 2_000
_MOST_NAMED = 20

Candidates = Sequence[AssistantEntry]
Messages = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Route:
    """The assistant that answers a request, and the model that the answer names.

    `by`: what decided; "name" where the caller named the assistant. `score`: how similar the request is to
    the assistant, from 0 to about 1; None where that did not decide.
    """

    assistant: AssistantEntry
    model: str
    by: Literal["name", "embedding", "words", "session"] = "name"
    score: float | None = None

    @property
    def extension(self) -> dict[str, Any]:
        """The fields of an answer's `mcp_connector`. Empty where the caller named the assistant."""
        if self.by == "name":
            return {}
        score = None if self.score is None else round(self.score, 3)
        return {"routing": {"assistant": self.assistant.slug, "by": self.by, "score": score}}


@dataclass(frozen=True, slots=True)
class Nearest:
    """The assistant most similar to a text. It answers if `score` reaches `threshold`."""

    assistant: AssistantEntry
    by: Literal["embedding", "words"]
    score: float
    threshold: float


async def route(model: str, principal: Principal, messages: Messages, session_id: str | None = None) -> Route:
    """Returns the assistant that `model` names, or for `auto` the one that the conversation is about.

    `messages`: chat messages, or items of the Responses API. A session stays with the assistant that answered
    in it last. Without one, the first text of the user that fits an assistant decides; later texts change
    nothing, so that a conversation stays where it began. Raises ModelNotFound and NoAssistantFits.
    """
    if model != AUTO:
        return Route(await catalogue.find(model, principal), model)
    candidates = await catalogue.callable_by(principal)
    if not candidates:
        raise ModelNotFound
    if session_id is None:
        return await _matched(candidates, messages)
    last = await last_assistant.find(principal.id, session_id)
    # Only among the candidates: the key may have lost the assistant since.
    if previous := next((entry for entry in candidates if entry.id == last), None):
        return Route(previous, previous.slug, "session")
    matched = await _matched(candidates, messages)
    last_assistant.remember(principal.id, session_id, matched.assistant.id)
    return matched


async def _matched(candidates: Candidates, messages: Messages) -> Route:
    nearest: Nearest | None = None
    for text in islice(_texts(messages), _MOST_TEXTS):
        nearest = await _nearest(candidates, text)
        if nearest.score >= nearest.threshold:
            return Route(nearest.assistant, nearest.assistant.slug, nearest.by, nearest.score)
    raise NoAssistantFits(_refusal(candidates, nearest))


def _refusal(candidates: Candidates, nearest: Nearest | None) -> str:
    why = "There is no text to choose an assistant by."
    if nearest is not None:
        why = (
            f"None of your assistants fits the request: the nearest is {nearest.assistant.slug}, with"
            f" {nearest.score:.2f} where {nearest.threshold:.2f} are needed."
        )
    slugs = [entry.slug for entry in candidates]
    others = f", and {len(slugs) - _MOST_NAMED} more" if len(slugs) > _MOST_NAMED else ""
    return f"{why} Name one as 'model': {', '.join(slugs[:_MOST_NAMED])}{others}."


def _texts(messages: Messages) -> Iterator[str]:
    """Yields the texts of the user, in order."""
    for message in messages:
        if message.get("role") == "user" and (text := _text(message.get("content"))):
            yield text


def _text(content: Any) -> str:
    parts = [content] if isinstance(content, str) else [str(part.get("text") or "") for part in content or ()]
    # Cut before it is cleaned as well: a message may have megabytes, and only its beginning is needed.
    whole = " ".join(parts)[: 2 * _LONGEST_TEXT]
    printable = "".join(letter if letter.isprintable() else " " for letter in whole)
    return " ".join(printable.split())[:_LONGEST_TEXT]


async def _nearest(candidates: Candidates, text: str) -> Nearest:
    shares = lexical.shares(candidates, text)
    vector, embedder = await _vector(text)
    similarities = [_similarity(entry, vector, embedder) for entry in candidates]
    if all(similarity is None for similarity in similarities):
        return _best(candidates, shares, "words", LEXICAL_THRESHOLD)
    # Scaled to the best share: the vocabulary orders assistants, but lifts none over the threshold by much.
    most = max(shares) or 1.0
    scores = [
        (similarity or 0.0) + LEXICAL_WEIGHT * share / most
        for similarity, share in zip(similarities, shares, strict=True)
    ]
    return _best(candidates, scores, "embedding", settings.ROUTING_THRESHOLD)


def _best(
    candidates: Candidates, scores: Sequence[float], by: Literal["embedding", "words"], threshold: float
) -> Nearest:
    """Returns the candidate with the highest score; of several, the first by slug, as candidates come."""
    score = max(scores)
    return Nearest(candidates[scores.index(score)], by, score, threshold)


async def _vector(text: str) -> tuple[Sequence[float], str]:
    """Returns the vector of a text and its embedder's name, or both empty without a working embedder."""
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


def _similarity(assistant: AssistantEntry, vector: Sequence[float], embedder: str) -> float | None:
    """Returns a value from 0 to 1, or None for an assistant without a vector of this embedder.

    It is the mean of the cosines to the assistant and to the most similar of its servers. The mean
    vector of all its tools routed fewer requests right: see docs/decisions/0019.
    """
    own = _cosine(vector, assistant.vectors.get(embedder))
    servers = [_cosine(vector, server.vectors.get(embedder)) for server in assistant.servers]
    known = [cosine for cosine in servers if cosine is not None]
    if own is None:
        return None
    return max((own + max(known)) / 2 if known else own, 0.0)


def _cosine(one: Sequence[float], other: Sequence[float] | None) -> float | None:
    """Returns the cosine of two vectors of length 1, or None where they cannot be compared."""
    # In pure Python, at 11 us a vector: a key's assistants and servers are tens, rarely hundreds.
    return sum(map(mul, one, other)) if one and other and len(one) == len(other) else None
