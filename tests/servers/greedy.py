"""`fake.py` with tools that use more than they may: `greedy.py [SWITCH]...`."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import fake

MIB = 1024 * 1024
EATER = "import sys, time; hoard = b'x' * int(sys.argv[1]); print('full', flush=True); time.sleep(60)"
hoard: list[bytes] = []


def eat(arguments: dict[str, Any], _: Any) -> dict[str, Any]:
    hoard.append(b"x" * (arguments["mib"] * MIB))
    return fake.text("full")


def feed(arguments: dict[str, Any], _: Any) -> dict[str, Any]:
    """Starts a process that fills memory, and waits until it has."""
    command = [sys.executable, "-c", EATER, str(arguments["mib"] * MIB)]
    eater = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True
    )
    assert eater.stdout is not None
    return fake.text(eater.stdout.readline().decode().strip())


def share(arguments: dict[str, Any], _: Any) -> dict[str, Any]:
    """Forks processes that share the memory of this one."""
    for _number in range(arguments["copies"]):
        if os.fork() == 0:
            signal.pause()
    return fake.text("shared")


def breed(arguments: dict[str, Any], _: Any) -> dict[str, Any]:
    for _number in range(arguments["count"]):
        subprocess.Popen(["sleep", "60"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return fake.text("bred")


def explode(arguments: dict[str, Any], _: Any) -> dict[str, Any]:
    """A fork bomb that ends at 2 to the power of `generations` processes."""
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        for _generation in range(arguments["generations"]):
            os.fork()
        time.sleep(60)
        os._exit(0)
    return fake.text("exploding")


def spy(arguments: dict[str, Any], _: Any) -> dict[str, Any]:
    try:
        with Path(arguments["path"]).open("rb") as file:
            file.read(1)
    except OSError as error:
        return fake.text(type(error).__name__)
    return fake.text("read")


def flood(arguments: dict[str, Any], _: Any) -> dict[str, Any]:
    print("\n".join(["Drowning!"] * arguments["lines"]), flush=True)
    return fake.text("flooded")


def confinement(_arguments: dict[str, Any], _: Any) -> dict[str, Any]:
    umask = os.umask(0)
    os.umask(umask)
    status = Path("/proc/self/status").read_text()
    found = {
        "user": [os.getuid(), os.geteuid()],
        "groups": [os.getgid(), *os.getgroups()],
        "home": os.environ.get("HOME"),
        "umask": umask,
        "open_files": resource.getrlimit(resource.RLIMIT_NOFILE),
        "core": resource.getrlimit(resource.RLIMIT_CORE),
        "no_new_privs": "NoNewPrivs:\t1" in status,
    }
    return fake.text(json.dumps(found))


fake.TOOLS |= {tool.__name__: tool for tool in (eat, feed, share, breed, explode, spy, flood, confinement)}

if __name__ == "__main__":
    fake.main()
