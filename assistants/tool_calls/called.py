"""What came of a call."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Called:
    """`result` is wire JSON, also where the tool reports that it failed.

    `note`: what the caller must know beside it, because a person changed the arguments; else "".
    """

    result: dict[str, Any] = field(repr=False)
    note: str = ""

    @property
    def noted(self) -> dict[str, Any]:
        """The result for a model, with the note before it."""
        if not self.note:
            return self.result
        content = self.result.get("content")
        note = {"type": "text", "text": self.note}
        return {**self.result, "content": [note, *(content if isinstance(content, list) else [])]}
