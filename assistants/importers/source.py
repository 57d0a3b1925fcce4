"""An object of a foreign file that notes what is read of it, so that nothing is lost in silence."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.core.exceptions import ValidationError

from assistants.configuration import InvalidConfiguration
from assistants.importers.draft import Draft
from core.printable import shown
from tools.importing import is_credential, switch

NO_PLACE = "It has no place here."
_LARGEST = 1e15
_NOTHING: tuple[Any, ...] = (None, "", [], {})


class Source:
    """An object with its path in the file. What nobody has read of it when it is `finished` is left out.

    Its readers raise InvalidConfiguration where something has another type than the product gives it.
    A value of null is one that is not there.
    """

    def __init__(self, value: Any, path: str, draft: Draft) -> None:
        if not isinstance(value, Mapping):
            raise InvalidConfiguration(f"{path or 'the file'}: Give an object.")
        self._values = {str(name): each for name, each in value.items() if each is not None}
        self._read: set[str] = set()
        self.path = path
        self.draft = draft

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def names(self) -> list[str]:
        return list(self._values)

    def at(self, name: str | int) -> str:
        """Returns the path of a member."""
        if isinstance(name, int):
            return f"{self.path}[{name}]"
        return f"{self.path}.{shown(name)}".removeprefix(".")

    def value(self, name: str, default: Any = None) -> Any:
        self._read.add(name)
        return self._values.get(name, default)

    def text(self, *names: str, default: str = "") -> str:
        """Returns the first of these members that is there and not empty; numbers as texts."""
        for name in names:
            value = self.value(name, "")
            if isinstance(value, bool) or not isinstance(value, str | int | float):
                raise InvalidConfiguration(f"{self.at(name)}: Give a text.")
            if value != "":
                return str(value)
        return default

    def flag(self, name: str, *, default: bool = False) -> bool:
        try:
            return switch(self.value(name, default))
        except ValidationError as error:
            raise InvalidConfiguration(f"{self.at(name)}: {' '.join(error.messages)}") from error

    def number(self, name: str) -> float | None:
        value: float | None = self.value(name)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is not None and not (is_number and -_LARGEST < value < _LARGEST):  # nor NaN, which YAML has
            raise InvalidConfiguration(f"{self.at(name)}: Give a number.")
        return value

    def texts(self, name: str) -> list[str]:
        value = self.value(name, [])
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise InvalidConfiguration(f"{self.at(name)}: Give a list of texts.")
        return value

    def items(self, name: str) -> Iterator[tuple[str, Any]]:
        """Yields `(path, value)` of each item of a list."""
        value = self.value(name, [])
        if not isinstance(value, list):
            raise InvalidConfiguration(f"{self.at(name)}: Give a list.")
        for number, each in enumerate(value):
            yield f"{self.at(name)}[{number}]", each

    def part(self, name: str) -> "Source":
        """Returns the object under a name, an empty one where there is none."""
        return Source(self.value(name, {}), self.at(name), self.draft)

    def parts(self, name: str) -> Iterator["Source"]:
        """Yields the objects of a list."""
        for path, each in self.items(name):
            yield Source(each, path, self.draft)

    def parts_by_name(self, name: str) -> Iterator[tuple[str, "Source"]]:
        """Yields the objects of an object."""
        inside = self.part(name)
        for key in inside.names():
            yield key, inside.part(key)

    def skip(self, *names: str) -> None:
        """Notes members as read that say nothing here, as ids, dates and looks: their names are listed."""
        said = [name for name in names if name not in self._read and self._values.get(name) not in _NOTHING]
        self.draft.passed_over.update(said)
        self._read.update(names)

    def leave_out(self, name: str, why: str) -> None:
        """Lists a member, if it is there and says something: that a thing is off does."""
        if self.value(name) not in _NOTHING:
            self.draft.leave_out(self.at(name), why)

    def lose(self, name: str, why: str) -> None:
        """Lists a member that is the credential of this server, which waits until staff give it another."""
        self.draft.leave_out(self.at(name), why)
        self.draft.lose_credential(self.path, name)

    def finish(self, why: str = NO_PLACE, **reasons: str) -> None:
        """Lists what nobody has read. `reasons`: by name, where there is more to say of what is on."""
        for name in self.unread():
            if is_credential(name) and self._values[name] not in _NOTHING:
                self.draft.lose_credential(self.path, shown(name))
            self.leave_out(name, reasons.get(name, why) if self._values[name] else NO_PLACE)

    def unread(self) -> list[str]:
        return [name for name in self._values if name not in self._read]
