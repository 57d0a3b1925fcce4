"""Preparation of texts for embedders."""

MOST_CHARACTERS = 2_000  # many models read 512 tokens at most, and some refuse more
_NOTHING = "-"


def readable(text: str) -> str:
    """Returns the text short enough for any model, as valid Unicode; a dash for an empty one.

    Services refuse empty texts, and with them all other texts of the request.
    """
    cut = text[:MOST_CHARACTERS].encode(errors="replace").decode().replace("\0", " ")
    return cut if cut.strip() else _NOTHING
