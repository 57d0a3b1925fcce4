"""The environment and the working directory of a stdio server, built from nothing: ours holds secrets."""

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from django.conf import settings

_PASSED_ON = ("HOME", "LANG")


def server_environment(own: Mapping[str, str], *, home: str | None = None) -> dict[str, str]:
    """Returns PATH, HOME, LANG, what MCP_PASS_ENVIRONMENT lists, and the server's own variables, which win.

    `home` is the home of the user that the server runs as, if that is not the worker's.
    """
    # Commands that are installed beside our interpreter come first: a virtual environment need not be active.
    beside_us = str(Path(sys.executable).parent)
    path = os.environ.get("PATH", os.defpath)
    passed_on = {
        name: os.environ[name] for name in (*_PASSED_ON, *settings.MCP_PASS_ENVIRONMENT) if name in os.environ
    }
    if home is not None:
        passed_on["HOME"] = home
    return {"PATH": f"{beside_us}{os.pathsep}{path}", **passed_on, **own}


def working_directory(environment: Mapping[str, str]) -> str:
    """Returns the home of the server's user, or the temporary directory if there is none."""
    home = environment.get("HOME")
    return home if home and Path(home).is_dir() else tempfile.gettempdir()
