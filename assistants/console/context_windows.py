"""How many tokens the well-known models read at once, as their vendors publish it."""

import re

_SIZES = (
    (r"gpt-4\.1", 1_047_576),
    (r"gpt-5", 400_000),
    (r"gpt-4o|gpt-4-turbo|chatgpt-4o", 128_000),
    (r"\bo[134](-mini|-pro)?\b", 200_000),
    (r"claude", 200_000),
    (r"gemini-1\.5-pro", 2_097_152),
    (r"gemini", 1_048_576),
    (r"llama-?3\.[123]", 131_072),
    (r"mistral-large|mistral-small", 131_072),
    (r"deepseek", 131_072),
)


def size_of(model: str) -> int | None:
    """Returns the size of a model's context in tokens; None of a model that is not known here."""
    name = model.lower()
    return next((size for pattern, size in _SIZES if re.search(pattern, name)), None)
