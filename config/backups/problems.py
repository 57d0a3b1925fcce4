class BackupFailed(Exception):
    """Nothing was backed up, or nothing was restored. The text says why, and what to do."""
