"""What a backup says about itself: its form, the version that made it, and the keys that its secrets need."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.utils import timezone

from config.backups.needed_keys import fingerprint
from config.backups.problems import BackupFailed

FORM = 1
"""Of the archive: a ZIP file with `manifest.json`, and `database.dump` in pg_dump's custom format."""

_OURS = "tools"
"""An app that every version has."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """`keys`: fingerprints of those that its secrets need. `migrations`: `app.name` of each applied one."""

    form: int
    made_at: str
    keys: list[str]
    migrations: list[str]

    @property
    def age(self) -> str:
        return f"{datetime.fromisoformat(self.made_at):%Y-%m-%d %H:%M} UTC"

    def as_json(self) -> bytes:
        return json.dumps(asdict(self), indent=1).encode()


def of_now(keys: list[str]) -> Manifest:
    """Returns that of a backup which is made now. Raises BackupFailed where there is nothing to back up."""
    applied = MigrationLoader(connection).applied_migrations
    if _OURS not in {app for app, _ in applied}:
        raise BackupFailed(
            f"The database {connection.settings_dict['NAME']} holds nothing of MCP Connector: it was never"
            " migrated. Check DATABASE_URL."
        )
    return Manifest(
        form=FORM,
        made_at=timezone.now().isoformat(timespec="seconds"),
        keys=keys,
        migrations=sorted(f"{app}.{name}" for app, name in applied),
    )


def own_keys() -> list[str]:
    """Returns the fingerprints of SECRET_ENCRYPTION_KEYS."""
    return [fingerprint(key) for key in settings.SECRET_ENCRYPTION_KEYS]


def parsed(text: bytes) -> Manifest:
    """Raises BackupFailed for what is no manifest, or one of a form that this version does not know."""
    try:
        values: dict[str, Any] = json.loads(text)
        # First: another form may have other members.
        if (form := values["form"]) != FORM:
            raise BackupFailed(f"The backup has form {form}: a newer version made it. Use that one.")
        return Manifest(**{name: values[name] for name in Manifest.__slots__})
    except (ValueError, KeyError, TypeError) as error:
        raise BackupFailed("The file is no backup of MCP Connector: its manifest cannot be read.") from error
