"""The tokens of an expression in CEL: the library does not show what it has parsed."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "number", "name", "sign"]

_RAW = r"""(?:[bB]?[rR]|[rR][bB])(?:\"{3}[\s\S]*?\"{3}|'{3}[\s\S]*?'{3}|"[^"\r\n]*"|'[^'\r\n]*')"""
_PLAIN = (
    r"""[bB]?(?:\"{3}(?:[^\\]|\\[\s\S])*?\"{3}|'{3}(?:[^\\]|\\[\s\S])*?'{3}"""
    r"""|"(?:[^"\\\r\n]|\\.)*"|'(?:[^'\\\r\n]|\\.)*')"""
)
_TOKEN = re.compile(
    rf"(?P<skipped>\s+|//[^\n]*)|(?P<text>{_RAW}|{_PLAIN})"
    r"|(?P<number>0[xX][0-9a-fA-F]+[uU]?|(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?[uU]?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<sign>.)"
)


@dataclass(frozen=True, slots=True)
class Token:
    kind: Kind
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


END = Token("sign", "", 0)
"""Stands before the first token and after the last one."""


def tokens(source: str) -> Iterator[Token]:
    """Yields the tokens of an expression that the library has parsed."""
    for found in _TOKEN.finditer(source):
        kind: Kind = found.lastgroup  # type: ignore[assignment]
        if found.lastgroup != "skipped":
            yield Token(kind, found.group(), found.start())
