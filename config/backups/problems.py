class BackupFailed(Exception):
    """Nothing was backed up, or nothing was restored. The text says why, and what to do."""


class ProgramMissing(BackupFailed):
    """A program of PostgreSQL is not there, or is too old."""

    def __init__(self, said: str, remedy: str) -> None:
        super().__init__(f"{said} {remedy}")
        self.said = said
        self.remedy = remedy
