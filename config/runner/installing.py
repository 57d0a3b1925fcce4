"""`python -m config.runner.installing LOCK...`: makes .venv as the locks say, and shows what is left to do.

The Makefile runs it with whatever Python it has, before anything is installed. The first lock holds uv, which
installs the rest: its hash is checked like every other.
"""

import fcntl
import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, cast

from config.runner.progress import Progress

VENV = Path(".venv")
PYTHON = VENV / "bin" / "python"
UV = VENV / "bin" / "uv"
POLL_S = 0.5
NAMED = 3  # downloads
PIN = re.compile(r"^[\w.-]+(\[.*\])?==")
LARGE = re.compile(r"^ *(Downloading|Downloaded|Building|Built) (\S+)(?: \(([\d.]+)MiB\))?")
CHANGED = re.compile(r"^Installed (\d+ packages?)")


class Failed(Exception):
    """The message is what the installer printed."""


def main(locks: Sequence[str]) -> int:
    progress = Progress()
    try:
        with Path(locks[0]).open() as lock:
            _wait_for_turn(lock.fileno(), progress)
            if not os.access(UV, os.X_OK):
                _install_uv(Path(locks[0]), progress)
            _sync(locks, progress)
    except Failed as failed:
        progress.clear()
        print(f"Installing failed:\n{failed}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        progress.line("Stopped. The next `make` goes on with what is missing.")
        return 130
    return 0


def _wait_for_turn(lock: int, progress: Progress) -> None:
    """Two that install at the same time would break each other's .venv."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        progress.step("Waiting for another `make`, which installs")
        fcntl.flock(lock, fcntl.LOCK_EX)


def _install_uv(lock: Path, progress: Progress) -> None:
    """Makes .venv and installs uv with the pip of this Python: another one would take 5 s more."""
    step = "Setting up .venv: uv first, which installs the rest"
    progress.step(step)
    here = [sys.executable, "-m"]
    _run([*here, "venv", "--without-pip", str(VENV)], step, progress)
    pip = [*here, "pip", "--python", str(PYTHON)]
    if subprocess.run([*pip, "--version"], capture_output=True, check=False).returncode:
        _run([str(PYTHON), "-m", "ensurepip"], step, progress)
        pip = [str(PYTHON), "-m", "pip"]
    pinned = VENV / "uv.lock"
    pinned.write_text(pin_of_uv(lock.read_text()))
    # What pip warns of concerns its own settings and version, which are not for who runs this.
    quietly = ("-qq", "--disable-pip-version-check", "--no-input")
    _run([*pip, "install", *quietly, "--require-hashes", "-r", str(pinned)], step, progress)


def pin_of_uv(lock: str) -> str:
    """Returns the lines of uv and its hashes."""
    lines = iter(lock.splitlines())
    pin = [next(line for line in lines if line.startswith("uv=="))]
    while pin[-1].endswith("\\"):
        pin.append(next(lines))
    return "\n".join(pin) + "\n"


def _sync(locks: Sequence[str], progress: Progress) -> None:
    pins = {
        line.split("==")[0]
        for lock in locks
        for line in Path(lock).read_text().splitlines()
        if PIN.match(line)
    }
    step = f"Installing what is missing of {len(pins)} packages"
    progress.step(step)
    began = time.monotonic()
    sync = (str(UV), "pip", "sync", "--python", str(PYTHON), "--require-hashes", "--no-progress")
    output = _run([*sync, *locks], step, progress)
    changed = next((found[1] for line in output if (found := CHANGED.match(line))), "")
    if changed:
        progress.line(f"Installed {changed} in {time.monotonic() - began:.0f} s")
    progress.clear()


def _run(command: Sequence[str], step: str, progress: Progress) -> list[str]:
    """Runs it, while `progress` shows what it waits for. Returns its output. Raises Failed."""
    began = time.monotonic()
    output: list[str] = []
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    for lines in _read(cast(IO[bytes], process.stdout)):
        output += lines
        progress.still(f"{step}: {time.monotonic() - began:.0f} s{_left(output)}")
    if process.wait():
        raise Failed("\n".join(output))
    return output


def _read(pipe: IO[bytes]) -> Iterator[list[str]]:
    """Yields the lines that a process has printed, or none, twice a second until it closes its output."""
    rest = b""
    while True:
        new: list[bytes] = []
        if select.select([pipe], [], [], POLL_S)[0]:
            if not (chunk := os.read(pipe.fileno(), 65536)):
                break
            *new, rest = (rest + chunk).split(b"\n")
        yield [line.decode(errors="replace") for line in new]
    yield [rest.decode(errors="replace")] if rest else []


def _left(output: Sequence[str]) -> str:
    """Returns which large packages are still on their way, after what uv printed: nothing of small ones."""
    left: dict[str, float] = {}
    for line in output:
        if found := LARGE.match(line):
            verb, name, mebibytes = found.groups(default="0")
            if verb in ("Downloading", "Building"):
                left[name] = float(mebibytes)
            else:
                left.pop(name, None)
    if not left:
        return ""
    largest = sorted(left, key=lambda name: -left[name])[:NAMED]
    more = f" and {len(left) - NAMED} more" if len(left) > NAMED else ""
    return f", {sum(left.values()):.0f} MiB left to download: {', '.join(largest)}{more}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
