"""Secrets as people see them: names in clear, values masked. A masked value sent back means: unchanged."""

from collections.abc import Mapping

MASK = "********"


def masked(secrets: Mapping[str, str]) -> dict[str, str]:
    return dict.fromkeys(secrets, MASK)


def unmasked(sent: Mapping[str, str], stored: Mapping[str, str]) -> dict[str, str]:
    """What to store: `sent`, with the stored value where the mask came back."""
    return {name: stored.get(name, value) if value == MASK else value for name, value in sent.items()}
