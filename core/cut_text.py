"""Texts that are too long, cut so that whoever reads them knows."""

_MARK = " [... cut here]"


def cut(text: str, limit: int) -> str:
    """Returns a text of at most `limit` characters, which says where it was cut."""
    return text if len(text) <= limit else text[: limit - len(_MARK)] + _MARK
