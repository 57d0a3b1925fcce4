"""What the sections of a file have in common: each kind of object is shown, compared and changed alike."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Generic, TypeVar

from django.db import models
from pydantic import BaseModel

from assistants.configuration.reading import InvalidConfiguration
from assistants.configuration.secret_references import Filling, Names
from core.actor import Actor
from tools.secrets.encryption import Unreadable

Row = TypeVar("Row", bound=models.Model)
Fields = dict[str, Any]


class Kind(ABC, Generic[Row]):
    """Objects of one section. Fields are as the file has them: names instead of ids, and secrets in clear."""

    section: ClassVar[str]
    noun: ClassVar[str]
    entry: ClassVar[type[BaseModel]]
    secrets: ClassVar[frozenset[str]] = frozenset()
    """Fields of which a difference tells no value."""
    step: ClassVar[str] = ""
    """What staff have to do about a new object."""

    @abstractmethod
    def rows(self) -> Iterable[Row]:
        """Returns all objects, in the order of an export."""

    @abstractmethod
    def shown(self, row: Row) -> Fields:
        """Returns the fields of an object."""

    @abstractmethod
    def add(self, fields: Fields, by: Actor) -> Row:
        """Adds an object."""

    @abstractmethod
    def change(self, row: Row, fields: Fields, changed: set[str], filling: Filling, by: Actor) -> None:
        """Changes an object, of whose `fields` those in `changed` differ."""

    @abstractmethod
    def remove(self, row: Row, by: Actor) -> None:
        """Deletes an object."""

    def filled(self, fields: Fields, stored: Fields, filling: Filling) -> Fields:
        """Returns the fields with their references to secrets filled. `stored` is empty for a new object."""
        return fields

    def referring(self, fields: Fields, names: Names) -> Fields:
        """Returns the fields with a reference in place of each secret."""
        return fields

    def is_exported(self, row: Row) -> bool:
        return True


def as_shown(row: models.Model, entry: type[BaseModel], **others: Any) -> Fields:
    """Returns the fields of an entry in their order: `others`, and the row's own."""
    return {name: others[name] if name in others else getattr(row, name) for name in entry.model_fields}


def require_readable(owner: str, fields: Mapping[str, Any]) -> None:
    """Raises InvalidConfiguration if a secret cannot be decrypted, and so not be told from none."""
    for name, value in fields.items():
        if isinstance(value, Unreadable):
            raise InvalidConfiguration(
                f"{owner}: {name} cannot be decrypted: restore its key in SECRET_ENCRYPTION_KEYS,"
                " or enter it anew."
            )


def named(rows: Mapping[str, Row], name: str, field: str, noun: str) -> Row:
    """Returns the row that an entry names. Raises InvalidConfiguration."""
    try:
        return rows[name]
    except KeyError:
        raise InvalidConfiguration(f"{field}: There is no {noun} {name[:64]!r}.") from None
