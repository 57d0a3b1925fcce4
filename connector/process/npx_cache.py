"""The folders `_npx/<hash>` of npm's cache: npx installs each package into one, and never repairs it."""

import os
import re
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path

_HASH = re.compile(r"[0-9a-f]{16}")
_CACHE_VARIABLE = "npm_config_cache"


def cache_folder(environment: Mapping[str, str]) -> Path | None:
    """Returns npm's cache for a process with this environment; None where that cannot be told."""
    named = [value for name, value in environment.items() if name.lower() == _CACHE_VARIABLE]
    if len(set(named)) > 1:
        return None
    if named:
        return Path(named[0]) if Path(named[0]).is_absolute() else None
    home = environment.get("HOME", "")
    return Path(home) / ".npm" if Path(home).is_absolute() else None


def remove(folder: str, environment: Mapping[str, str]) -> bool:
    """Removes a folder if it is provably an `_npx/<hash>` of this environment's own cache.

    The folder's name comes from what a foreign program wrote. Returns whether it is gone.
    """
    cache, found = cache_folder(environment), Path(folder)
    if cache is None or not _HASH.fullmatch(found.name) or not shutil.rmtree.avoids_symlink_attacks:
        return False
    own = Path(os.path.realpath(cache)) / "_npx"
    try:
        # Neither the folder nor `_npx` may be a link: what it leads to is not the cache.
        if not (_is_folder(own) and _is_folder(own / found.name)):
            return False
        if Path(os.path.realpath(found)) != own / found.name:
            return False
        shutil.rmtree(own / found.name)
    except OSError:
        return False
    return True


def _is_folder(path: Path) -> bool:
    return stat.S_ISDIR(path.lstat().st_mode)
