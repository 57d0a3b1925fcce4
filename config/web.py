"""A web process: `python -m config.web`, with any options of the command `uvicorn`.

It gives uvicorn our HTTP protocol and WEB_DRAIN_S, and ends with status 1 when it cannot start.
"""

import math
import sys
from collections.abc import Sequence

from django.conf import settings
from uvicorn.config import STARTUP_FAILURE
from uvicorn.main import main as uvicorn

from config.environment import load_settings
from config.safety import require_safe_settings

OPTIONS = ("--http", "config.asgi:Protocol", "--ws", "none", "--lifespan", "on", "--no-server-header")


def main(arguments: Sequence[str]) -> None:
    load_settings()
    require_safe_settings()
    drain = ("--timeout-graceful-shutdown", str(math.ceil(settings.WEB_DRAIN_S)))
    try:
        uvicorn(["config.asgi:application", *OPTIONS, "--no-access-log", *drain, *arguments])
    except SystemExit as end:
        sys.exit(1 if end.code == STARTUP_FAILURE else end.code)


if __name__ == "__main__":
    main(sys.argv[1:])
