"""`python -m bench.profile [LOAD]`: flame graphs of a web process and of a worker under load."""

import argparse
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.loading.loads import BY_KEY
from tests.chaos.world import ROOT, World, world

PY_SPY = Path(sys.executable).with_name("py-spy")
FOLDER = ROOT / ".data" / "profiles"
CALLERS, WARM_UP_S, LONGER_S = 16, 2.0, 3.0
REFUSED = """\
py-spy may not read other processes here. Run this as root; elsewhere, as root once:
sysctl kernel.yama.ptrace_scope=0. A container needs --cap-add SYS_PTRACE.
What it said: """


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.profile", description=__doc__)
    parser.add_argument("load", nargs="?", default="chat", choices=tuple(BY_KEY), metavar="LOAD")
    parser.add_argument("--seconds", type=int, default=10, help="of what is recorded; 10 without it")
    given = parser.parse_args()
    with world({}) as made:
        return _profile(made, BY_KEY[given.load], given.seconds)


def _profile(made: World, load: Any, seconds: int) -> int:
    """Returns 1 if nothing could be recorded."""
    product = import_module("bench.loading.product")  # Django is set up by now
    turn = import_module("bench.loading.generator").turn
    target = product.start(made, product.start_behind(made))
    target.prepare(load)
    turn(target, load, CALLERS, WARM_UP_S)
    recordings = {kind: _record(kind, target.kinds[kind][0], load.key, seconds) for kind in ("web", "worker")}
    sample = turn(target, load, CALLERS, seconds + LONGER_S)
    print(f"{load.name}: {sample.rate:.0f} requests a second while it was recorded")
    return max([_ended(kind, recording, load.key) for kind, recording in recordings.items()])


def _record(kind: str, pid: int, load: str, seconds: int) -> subprocess.Popen[str]:
    FOLDER.mkdir(parents=True, exist_ok=True)
    # --gil: else threads that wait for work would fill the picture.
    command = [str(PY_SPY), "record", "--pid", str(pid), "--duration", str(seconds), "--rate", "200", "--gil"]
    command += ["--format", "flamegraph", "--output", str(_file(kind, load))]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def _ended(kind: str, recording: subprocess.Popen[str], load: str) -> int:
    _, said = recording.communicate()
    if recording.returncode == 0:
        print(f"{kind}: {_file(kind, load).relative_to(ROOT)}")
        return 0
    last = (said.strip().splitlines() or ["nothing"])[-1]
    print(f"{kind}: {REFUSED if 'permission' in said.lower() else 'py-spy failed: '}{last}")
    return 1


def _file(kind: str, load: str) -> Path:
    return FOLDER / f"{load}-{kind}.svg"


if __name__ == "__main__":
    sys.exit(main())
