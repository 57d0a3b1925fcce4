"""Which of SECRET_ENCRYPTION_KEYS the stored secrets need: those that decrypt them, found out by trying.

Each is tried on each secret: the keys that are set may be of another
installation, and a backup that named those could not be restored with the right ones.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from cryptography.fernet import Fernet, InvalidToken
from django.apps import apps
from django.conf import settings
from django.db import connection, models, transaction
from psycopg import sql

from tools.secrets.encryption import encrypted_columns


@dataclass(slots=True)
class Needed:
    """`keys`: fingerprints, in the setting's order. `unreadable`: how many `secrets` no key decrypts."""

    keys: list[str] = field(default_factory=list)
    secrets: int = 0
    unreadable: int = 0


def needed_keys() -> Needed:
    """Tries the keys on all that is stored. A key that is none decrypts nothing."""
    usable = dict(_usable())
    needed = Needed()
    found: set[str] = set()
    with transaction.atomic():
        for token in _tokens():
            needed.secrets += 1
            name = next((name for name, key in usable.items() if _decrypts(key, token)), "")
            found.add(name)
            needed.unreadable += not name
    needed.keys = [name for name in usable if name in found]
    return needed


def fingerprint(key: str) -> str:
    """Returns a fingerprint by which nobody can find out the key."""
    return hashlib.sha256(b"fingerprint:" + key.encode()).hexdigest()[:12]


def _usable() -> Iterator[tuple[str, Fernet]]:
    for key in settings.SECRET_ENCRYPTION_KEYS:
        try:
            yield fingerprint(key), Fernet(key)
        except ValueError:
            continue


def _decrypts(key: Fernet, token: str) -> bool:
    try:
        key.decrypt(token.encode())  # as bytes: see encryption.decrypt
    except InvalidToken:
        return False
    return True


def _tokens() -> Iterator[str]:
    """Yields all secrets as they are stored, of tables that the database has: it may be another version's."""
    for model in apps.get_models():
        encrypted = encrypted_columns(model)
        there = _columns(model) if encrypted else set()
        if names := [name for name in encrypted if name in there]:
            columns = sql.SQL(", ").join(map(sql.Identifier, names))
            query = sql.SQL("SELECT {} FROM {}").format(columns, sql.Identifier(model._meta.db_table))
            # On the server, also behind a pooler: conversations do not fit into the memory.
            with connection.chunked_cursor() as cursor:
                cursor.execute(query)
                for row in cursor:
                    yield from filter(None, row)


def _columns(model: type[models.Model]) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND NOT attisdropped",
            [f'"{model._meta.db_table}"'],
        )
        return {name for (name,) in cursor.fetchall()}
