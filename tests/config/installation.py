"""A real `manage.py up` with a DATA_DIR of its own."""

import contextlib
import json
import os
import queue
import shlex
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import psutil

from config.runner.network import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
# Empty counts as not set, and keeps what a developer's .env names out of it.
UNSET = dict.fromkeys(("DATABASE_URL", "REDIS_URL", "OPENAI_API_KEY", "OPENAI_BASE_URL", "HOST"), "")


class Installation:
    """One run of `up` with these options. `output` has the lines that it printed, errors included."""

    def __init__(self, data_dir: Path, *options: str, **environment: str) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self.output: list[str] = []
        self.curl = ""
        self._new: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self.up = subprocess.Popen(
            [sys.executable, "manage.py", "up", *options],
            cwd=ROOT,
            env=self._clean() | {"PORT": str(self.port)} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _clean(self) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return inherited | UNSET | {"DATA_DIR": str(self.data_dir)}

    def _read(self) -> None:
        assert self.up.stdout is not None
        with self.up.stdout as lines:
            for line in lines:
                self._new.put(line.rstrip("\n"))
        self._new.put(None)

    def line(self, beginning: str, *, timeout_s: float = 60) -> str:
        """Waits for a line with this beginning and returns it. Fails, with the output, if none comes."""
        deadline = time.monotonic() + timeout_s
        while (line := self._next(max(deadline - time.monotonic(), 0.01))) is not None:
            if line.startswith(beginning):
                return line
        raise AssertionError("\n".join(self.output))

    def _next(self, timeout_s: float) -> str | None:
        """Returns the next line; None at the end of the output, or when the time is over."""
        with contextlib.suppress(queue.Empty):
            if (line := self._new.get(timeout=timeout_s)) is not None:
                self.output.append(line)
                return line
        return None

    def wait_for_curl(self) -> Self:
        self.curl = self.line("curl ", timeout_s=150)  # where other tests share the machine, too
        return self

    def manage(self, *words: str) -> str:
        """Returns the output of a command whose environment has this DATA_DIR and nothing else."""
        return subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=ROOT,
            env={name: value for name, value in self._clean().items() if name not in UNSET},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout

    def processes(self) -> list[psutil.Process]:
        return psutil.Process(self.up.pid).children(recursive=True)

    def child(self, words: str) -> psutil.Process:
        [found] = [each for each in self.processes() if words in " ".join(each.cmdline())]
        return found

    def wait(self, *, timeout_s: float) -> int:
        """Waits for its end and for the rest of its output. Returns the exit status."""
        status = self.up.wait(timeout_s)
        self._reader.join(timeout=10)
        while not self._new.empty():
            self._next(0)
        return status


def follow(curl: str) -> dict[str, Any]:
    """Makes the request of the printed line, on machines without curl too."""
    _, url, *words = shlex.split(curl)
    options = list(zip(words[::2], words[1::2], strict=True))
    headers = dict(value.split(": ", 1) for option, value in options if option == "-H")
    [body] = [value for option, value in options if option == "-d"]
    return fetch(url, headers=headers, data=body.encode())


def fetch(url: str, **request: Any) -> dict[str, Any]:
    with urllib.request.urlopen(urllib.request.Request(url, **request), timeout=30) as answer:
        body: dict[str, Any] = json.load(answer)
    return body


Start = Callable[..., Installation]
"""Takes what Installation does: see the fixture `start`."""
