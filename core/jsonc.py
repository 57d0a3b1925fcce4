"""JSON as people edit it: with comments, commas before a closing bracket, and a byte order mark (JSONC).

These are what JSONC (the files of VS Code) and JSON5 have in common.
"""

import re

_TEXT = r'"(?:[^"\\\n]|\\.)*+"?'
_COMMENT = re.compile(rf"{_TEXT}|(?P<comment>//[^\n\r]*|/\*.*?(?:\*/|\Z))", re.DOTALL)
_TRAILING_COMMA = re.compile(rf"{_TEXT}|(?P<comma>,)(?=\s*[}}\]])", re.DOTALL)
_NO_BREAK = re.compile(r"[^\n\r]")


def as_json(text: str) -> str:
    """Returns the text as plain JSON, in which each character stands where it stood.

    Spaces take the place of comments and commas, so that a parser's errors name the right line and column.
    """
    text = text.removeprefix("\ufeff")
    text = _COMMENT.sub(_without_comment, text)
    return _TRAILING_COMMA.sub(lambda found: " " if found["comma"] else found[0], text)


def _without_comment(found: re.Match[str]) -> str:
    return found[0] if found["comment"] is None else _NO_BREAK.sub(" ", found[0])
