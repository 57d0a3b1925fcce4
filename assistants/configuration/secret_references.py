"""References to secrets, `${NAME}`: named by an export, filled from the environment when a file is applied.

A server has references of its own, to its variables, which its launch fills (`tools.references`). They stay.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from assistants.configuration.reading import InvalidConfiguration
from core.printable import shown
from tools.names import slugify
from tools.secrets.encryption import Unreadable
from tools.secrets.masking import MASK, UNREADABLE

_REFERENCE = re.compile(r"(\$?)\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def foreign(text: str, own: Collection[str] = ()) -> list[str]:
    """Returns the names to which a text refers and which are not among `own`."""
    return [name for escape, name in _REFERENCE.findall(text) if not escape and name not in own]


def fillable(environ: Mapping[str, str]) -> dict[str, str]:
    """Returns the variables that may fill references: not the secrets of this installation.

    Whoever writes a file, or one line of it, could have them sent anywhere.
    """
    return {name: value for name, value in environ.items() if name not in settings.SECRET_SETTINGS}


def secret_settings(names: Iterable[str]) -> list[str]:
    """Returns those of the names that are secrets of this installation."""
    return [name for name in names if name in settings.SECRET_SETTINGS]


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

    `problems`: what cannot be filled, all of it: a caller must not apply an entry that has some. An empty
    variable counts as none: what a pipeline failed to pass must not wipe out what is stored.
    `is_import`: names of this installation's secrets are another product's, and count as none, too. A mask
    keeps what is stored.
    """

    environ: Mapping[str, str] = field(repr=False)
    kept: set[tuple[str, str]] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    is_import: bool = False

    def require_whole(self) -> None:
        """Raises InvalidConfiguration where something could not be filled."""
        if self.problems:
            raise InvalidConfiguration("\n".join(self.problems))

    def text(
        self,
        where: str,
        text: str,
        stored: Any,
        own: Collection[str] = (),
        *,
        more: Mapping[str, str] | None = None,
    ) -> Any:
        """Returns the text with the values of its references, or what is `stored` if one has none.

        `more`: variables that fill this text alone. Without any value it notes a problem.
        """
        values = {**(more or {}), **self.environ} if more else self.environ
        missing = [name for name in foreign(text, own) if not values.get(name)]
        ours = [name for name in secret_settings(missing) if name not in (more or {})]
        if stored and self.is_import and text == MASK:
            return self._keep(where, stored)
        if MASK in text or text == UNREADABLE:
            problem = "Give a value or a reference, not what is shown for a secret."
        elif not missing:
            return _REFERENCE.sub(lambda found: _value(found, own, values), text)
        elif stored and (self.is_import or not ours):
            return self._keep(where, stored)
        elif ours:
            problem = (
                f"${{{ours[0]}}} is a secret of this installation, and fills nothing here: put what is meant"
                " into a variable of another name, and refer to that."
            )
        else:
            names = ", ".join(f"${{{shown(name)}}}" for name in dict.fromkeys(missing))
            is_not = "is not set" if len(set(missing)) == 1 else "are not set"
            problem = f"{names} {is_not} in the environment, and nothing is stored."
        self.problems.append(f"{'.'.join(map(shown, where.split('.', 1)))}: {problem}")
        return ""

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

    def _keep(self, where: str, stored: Any) -> Any:
        field, _, name = where.partition(".")
        self.kept.add((field, name))
        return stored

    def _lacks(self, text: str, own: Collection[str]) -> bool:
        return any(not self.environ.get(name) for name in foreign(text, own))


def _value(found: re.Match[str], own: Collection[str], values: Mapping[str, str]) -> str:
    return found[0] if found[1] or found[2] in own else values[found[2]]
