"""The texts by which a request is searched: the whole, its clauses, and what it implies. Pure.

A request of several steps needs several tools; each clause may find one that the whole does not.
"""

import re
from collections.abc import Iterator

from tools.search.text import unstemmed

MOST_CLAUSES = 8
MOST_IMPLIED = 2
_BOUNDARY = re.compile(
    r"(?<=[.!?;])\s+|(?<=[。！？；])\s*|\n+"  # noqa: RUF001 - the ends of sentences in Chinese and Japanese
    r"|,?\s+(?:and then|then|also|additionally|as well as)\s+|,\s+and\s+"
)
_SENTENCE_END = re.compile(r"(?<=[.!?;])\s+|\n+")
_URL = re.compile(r"\b(?:https?://|www\.)[!-;=?-~]*[\w/]", re.ASCII | re.IGNORECASE)
_ENCODED = re.compile(r"[\w+/=-]{60,}", re.ASCII)
_PATH = re.compile(
    r"(?<![\w.:/\\~-])(?:~|[a-z]:|\.{1,2})?(?:[/\\]\.?[\w@+-]+(?:\.[\w@+-]+)*)+", re.ASCII | re.IGNORECASE
)
_EXTENSION = re.compile(r"\.(\w{1,5})\Z", re.ASCII)
_WRITING = re.compile(
    r"\b(?:sav|writ|stor|export|creat|generat|draft|produc|output|convert|mak)", re.IGNORECASE
)


def texts(query: str) -> list[str]:
    """Returns the texts, the whole first; none for a blank query."""
    whole = _simplified(query)
    return list(dict.fromkeys(filter(None, [whole, *_clauses(whole), *_implied(query)])))


def as_embedded(text: str) -> str:
    """Returns what the embedder reads for a text: requests that mention a tool are more like tools."""
    return f"A tool to {text}"


def _simplified(query: str) -> str:
    """Replaces URLs, paths and encoded data by their kind: their own words say little about the request."""
    return _ENCODED.sub("data", _PATH.sub(_file, _URL.sub("URL", query))).strip()


def _file(path: re.Match[str]) -> str:
    """Returns for example `md file`. A path without an extension may be a route: it stays as it is."""
    extension = _EXTENSION.search(path[0])
    return f"{extension[1]} file" if extension else path[0]


def _clauses(whole: str) -> list[str]:
    parts = [part.strip(" ,.;:") for part in _BOUNDARY.split(whole)]
    # "Thanks!" finds nothing. And a single clause would count what the whole counts, a second time.
    informative = [part for part in parts if len(unstemmed(part)) >= 2]
    return informative[:MOST_CLAUSES] if len(informative) > 1 else []


def _implied(query: str) -> list[str]:
    """Returns reads and writes of the files that a request names: it seldom asks for them in words."""
    sentences = _SENTENCE_END.split(_URL.sub("URL", query))
    found = dict.fromkeys(access for sentence in sentences for access in _file_accesses(sentence))
    return list(found)[:MOST_IMPLIED]


def _file_accesses(sentence: str) -> Iterator[str]:
    writing = _WRITING.search(sentence)
    for path in _PATH.finditer(sentence):
        if _EXTENSION.search(path[0]):
            # A verb of writing before the file: "save it to a.csv", but not "read a.csv and create ...".
            is_written = writing and writing.start() < path.start()
            yield "write file" if is_written else f"read {_file(path)}"
