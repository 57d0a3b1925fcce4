"""Names that people give to what they configure."""

from typing import Any

from django.db import models

SPACES = "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)
"""All that `str.strip` takes off. btrim of PostgreSQL by itself takes blanks alone."""


class NameField(models.CharField[Any, str]):
    """Spaces at its ends are no part of a name: no two differ by them alone, whoever gives them."""

    _pyi_private_set_type: Any  # for django-stubs: what a model's constructor takes
    _pyi_private_get_type: str

    def to_python(self, value: Any) -> Any:
        """Returns what is validated, stored and looked for, but for `iexact`, which asks no field."""
        text = super().to_python(value)
        return text.strip() if isinstance(text, str) else text

    def deconstruct(self) -> Any:
        """Migrations know it as what it is in the database."""
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.CharField", args, kwargs


def trimmed(table: str, *, among: str = "TRUE") -> str:
    """Returns SQL for a migration: takes spaces off the names of rows, but where two names became one.

    `among`: a condition on `own`, by which rows share a namespace.
    """
    others = f"SELECT FROM {table} AS other WHERE other.id <> own.id AND {among.replace('own.', 'other.')}"
    own, its = (f"btrim({row}.name, '{SPACES}')" for row in ("own", "other"))
    return f"""
        UPDATE {table} AS own SET name = {own} WHERE own.name <> {own} AND {own} <> '' AND {among}
        AND NOT EXISTS ({others} AND lower({its}) = lower({own}))
    """  # noqa: S608 - of migrations, without what anybody sends
