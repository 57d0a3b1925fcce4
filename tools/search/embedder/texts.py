"""What an embedder is given to read."""

MOST_CHARACTERS = 2_000  # many models read 512 tokens at most, and some refuse more
_NOTHING = "-"


def readable(text: str) -> str:
    """Short enough for any model, and valid Unicode; for an empty text, which services refuse, a dash."""
    cut = text[:MOST_CHARACTERS].encode(errors="replace").decode().replace("\0", " ")
    return cut if cut.strip() else _NOTHING
