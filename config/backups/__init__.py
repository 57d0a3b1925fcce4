"""Backups of the database: `manage.py backup` and `manage.py restore`, by PostgreSQL's own programs."""

from config.backups.backing_up import back_up
from config.backups.problems import BackupFailed
from config.backups.restoring import restore

__all__ = ["BackupFailed", "back_up", "restore"]
