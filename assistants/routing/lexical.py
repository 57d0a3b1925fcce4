"""How much of a text's words assistants say too: BM25 over what is known of them, in memory. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from weakref import WeakKeyDictionary

from assistants.catalogue.entries import AssistantEntry
from assistants.routing.profiles import Profile, document
from tools.search import bm25

_MOST_OF_A_WORD = 2.2
"""What a document says of one word lies below."""

_documents: WeakKeyDictionary[AssistantEntry, Mapping[int, float]] = WeakKeyDictionary()


def shares(assistants: Sequence[AssistantEntry], text: str) -> list[float]:
    """Of each assistant the share, from 0 to 1, of the text's words, the rare ones counting most."""
    documents = [_document(assistant) for assistant in assistants]
    places = set(bm25.places(text))
    frequencies = Counter(place for words in documents for place in places & words.keys())
    query = bm25.query_vector(text, frequencies=frequencies, documents=len(documents))
    whole = _MOST_OF_A_WORD * sum(query.values()) or 1.0
    return [
        sum(weight * words.get(place, 0.0) for place, weight in query.items()) / whole for words in documents
    ]


def _document(assistant: AssistantEntry) -> Mapping[int, float]:
    """Made once for as long as the assistant stays as it is."""
    words = _documents.get(assistant)
    if words is None:
        words = _documents[assistant] = bm25.document_vector(document(_profile(assistant)))
    return words


def _profile(assistant: AssistantEntry) -> Profile:
    tools = [(function.server_name, function.name) for function in assistant.functions]
    return Profile(assistant.name, assistant.description, assistant.system_prompt, tools)
