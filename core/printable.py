"""Texts of others on a terminal: what it would obey, or what would reorder a line, is escaped."""

from unicodedata import category

_LONGEST_NAME = 64


def printable(text: str) -> str:
    """Returns a text, of several lines perhaps, with control and format characters as `\\x1b`."""
    if text.isprintable():
        return text
    return "".join(each if _is_kept(each) else _escaped(each) for each in text)


def shown(name: str) -> str:
    """Returns a name that somebody chose, on one line and cut; in quotes where something is escaped."""
    short = name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 3]}..."
    return short if short.isprintable() else repr(short)


def _is_kept(character: str) -> bool:
    # Python calls all spaces but one not printable: French has another before "?", Chinese a wide one.
    return character.isprintable() or character == "\n" or category(character) == "Zs"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
