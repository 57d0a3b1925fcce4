"""Small programs as children of the runner."""

import sys
from pathlib import Path

from config.runner.processes import Program


def python(code: str, *, name: str = "child", cwd: Path | None = None) -> Program:
    return Program(name, [sys.executable, "-S", "-c", code], cwd=cwd)


SLEEPS = "import time; time.sleep(60)"
IGNORES_SIGTERM = (
    "import signal, time; signal.signal(15, signal.SIG_IGN); print('on', flush=True); time.sleep(60)"
)
