"""References to secrets, `${NAME}`: named by an export, filled from the environment when a file is applied.

A server has references of its own, to its variables, which its launch fills (`tools.references`). They stay.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from assistants.configuration.reading import InvalidConfiguration
from tools.names import slugify
from tools.secrets.encryption import Unreadable
from tools.secrets.masking import MASK, UNREADABLE

_REFERENCE = re.compile(r"(\$?)\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def foreign(text: str, own: Collection[str] = ()) -> list[str]:
    """Returns the names to which a text refers and which are not among `own`."""
    return [name for escape, name in _REFERENCE.findall(text) if not escape and name not in own]


class Names:
    """Gives each secret of an export the name of a variable, in capitals, each once."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def reference(self, *parts: str, own: Collection[str] = ()) -> str:
        """Returns `${NAME}` for these parts of a name."""
        wanted = slugify("-".join(parts)).replace("-", "_").upper()
        name, number = wanted, 2
        while name in self._taken or name in own:
            name, number = f"{wanted}_{number}", number + 1
        self._taken.add(name)
        return f"${{{name}}}"


@dataclass(slots=True)
class Filling:
    """Fills the references of one entry. `kept`: where the stored secret stays, as `(field, name)`.

    An empty variable counts as none: what a pipeline failed to pass must not wipe out what is stored.
    """

    environ: Mapping[str, str] = field(repr=False)
    kept: set[tuple[str, str]] = field(default_factory=set)

    def text(self, where: str, text: str, stored: Any, own: Collection[str] = ()) -> Any:
        """Returns the text with the values of its references, or what is `stored` if one has none.

        Raises InvalidConfiguration where nothing is stored.
        """
        if MASK in text or text == UNREADABLE:
            raise InvalidConfiguration(
                f"{where}: Give a value or a reference, not what is shown for a secret."
            )
        missing = [name for name in foreign(text, own) if not self.environ.get(name)]
        if not missing:
            return _REFERENCE.sub(lambda found: self._value(found, own), text)
        if not stored:
            reference = f"${{{missing[0]}}}"
            raise InvalidConfiguration(
                f"{where}: {reference} is not set in the environment, and nothing is stored."
            )
        self.kept.add((where.partition(".")[0], where.partition(".")[2]))
        return stored

    def texts(self, where: str, texts: Mapping[str, str], stored: Any, own: Collection[str] = ()) -> Any:
        """Does for an object what `text` does. One that no key decrypts stays as a whole, or not at all."""
        if isinstance(stored, Unreadable):
            if texts and all(self._lacks(each, own) for each in texts.values()):
                return stored
            stored = {}
        return {
            name: self.text(f"{where}.{name}", each, (stored or {}).get(name), own)
            for name, each in texts.items()
        }

    def _lacks(self, text: str, own: Collection[str]) -> bool:
        return any(not self.environ.get(name) for name in foreign(text, own))

    def _value(self, found: re.Match[str], own: Collection[str]) -> str:
        return found[0] if found[1] or found[2] in own else self.environ[found[2]]
