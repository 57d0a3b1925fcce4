"""The lexical part of routing: how much of a text's vocabulary an assistant shares, by BM25. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from weakref import WeakKeyDictionary

from assistants.catalogue.entries import AssistantEntry
from assistants.routing.profiles import Profile, document
from tools.search import bm25

_MOST_OF_A_TERM = 2.2
"""Upper bound of a term's weight in a BM25 document vector."""

_documents: WeakKeyDictionary[AssistantEntry, Mapping[int, float]] = WeakKeyDictionary()


def shares(assistants: Sequence[AssistantEntry], text: str) -> list[float]:
    """Returns for each assistant the share of the text's terms that it has, from 0 to 1.

    Terms count by their rarity among the assistants. A share of 1 would be every term, each as often as can
    be: in contrast to BM25's scores, shares of different texts can be compared with one threshold.
    """
    documents = [_document(assistant) for assistant in assistants]
    dimensions = set(bm25.dimensions(text))
    frequencies = Counter(dimension for weights in documents for dimension in dimensions & weights.keys())
    query = bm25.query_vector(text, frequencies=frequencies, documents=len(documents))
    whole = _MOST_OF_A_TERM * sum(query.values()) or 1.0
    return [
        sum(rarity * weights.get(dimension, 0.0) for dimension, rarity in query.items()) / whole
        for weights in documents
    ]


def _document(assistant: AssistantEntry) -> Mapping[int, float]:
    """Returns the BM25 vector of an assistant, computed once in the lifetime of its entry."""
    vector = _documents.get(assistant)
    if vector is None:
        vector = _documents[assistant] = bm25.document_vector(document(_profile(assistant)))
    return vector


def _profile(assistant: AssistantEntry) -> Profile:
    tools = [(function.server_name, function.name) for function in assistant.functions]
    return Profile(assistant.name, assistant.description, assistant.system_prompt, tools)
