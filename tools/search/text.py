"""The text of a tool that is indexed, and its terms. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from threading import local

import Stemmer

SCHEME = 2
"""Count it up when `embedded_texts` or `bm25.document_vector` change: every tool is then indexed anew."""
_NAME_WEIGHT = 0.2
"""Of the vector of the name in a tool's vector. Measured: docs/decisions/0019."""
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z](?!s(?![a-z]))[a-z])")
"""Humps: `listURLsOfHTTPServer` becomes `list URLs Of HTTP Server`."""
_SEPARATORS = re.compile(r"[_\-./:@\s]+")
_WORD = re.compile(r"[^\W_]+")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]")
_STOP_WORDS = frozenset(
    """a an and are as at be but by can could do does for from had has have how i if in into is it its me my
    of on or our please should so some than that the their them then there these they this to us was we were
    what when where which who will with would you your""".split()  # noqa: SIM905 - to be read
)
_stemmers = local()
"""One for each thread: a stemmer is not thread-safe."""


@dataclass(frozen=True, slots=True)
class Document:
    """The texts of a tool. `parameters`: their names; `examples`: requests that it serves."""

    server_name: str
    server_description: str
    name: str
    title: str
    description: str
    parameters: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()


def embedded_texts(document: Document) -> list[tuple[str, float]]:
    """Returns the texts of a tool to embed, with the weights of their vectors in the tool's vector.

    The name is embedded by itself too: in the full text a long description drowns it. All examples together
    count as much as the full text.
    """
    each = 1 / max(len(document.examples), 1)
    examples = [(example, each) for example in document.examples]
    weighted = [(_full_text(document), 1.0), (split_name(document.name), _NAME_WEIGHT), *examples]
    return [(text, weight) for text, weight in weighted if text]


def split_name(name: str) -> str:
    """Splits a name into words: `get_forecastByCity` becomes `get forecast By City`."""
    return " ".join(_SEPARATORS.sub(" ", _split_camel(name)).split())


def terms(text: str) -> list[str]:
    """Returns the stems of the words, in order, without stop words; of CJK words characters and pairs."""
    return _stem(unstemmed(text))


def unstemmed(text: str) -> list[str]:
    """Returns what `terms` makes stems of, as many of them."""
    lowered = _split_camel(text).lower()
    words = _WORD.findall(lowered)
    # Once for the text: to look at each word takes longer than all the rest.
    if not _CJK.search(lowered):
        return [word for word in words if word not in _STOP_WORDS]
    return [term for word in words for term in _terms_of(word)]


def informative_title(document: Document) -> str:
    """Returns the title; "" if it is the name in other letters, which would count twice."""
    is_name = split_name(document.title).lower() == split_name(document.name).lower()
    return "" if is_name else document.title


def _full_text(document: Document) -> str:
    names = f"{split_name(document.server_name)}: {split_name(document.name)}."
    title = f"{informative_title(document)}." if informative_title(document) else ""
    about = f"({document.server_description[:200]})"
    return " ".join(f"{names} {title} {document.description[:600]} {about}".split())


def _split_camel(text: str) -> str:
    return _CAMEL.sub(" ", text)


def _terms_of(word: str) -> Iterator[str]:
    # These scripts write no blanks between words: pairs of characters stand for them.
    if _CJK.search(word):
        yield from word
        yield from map("".join, pairwise(word))
    elif word not in _STOP_WORDS:
        yield word


def _stem(words: list[str]) -> list[str]:
    if not hasattr(_stemmers, "english"):
        _stemmers.english = Stemmer.Stemmer("english")
    stemmed: list[str] = _stemmers.english.stemWords(words)
    return stemmed
