"""`python -m bench [NAME]...`: measures on real processes of its own, and prints medians beside the goals."""

import argparse
import subprocess
import sys
from importlib import import_module

from bench.figures import NotMeasured
from tests.chaos.world import world

BENCHMARKS = (
    "takeover", "lease_expiry", "handover", "crash", "hop", "flood", "big_result", "many_servers",
    "retrieval", "chat", "loop_pause", "console", "live_pages", "mcp", "approvals", "rules",
    "start", "memory",
)  # fmt: skip


def main() -> int:
    """Runs each benchmark in a process of its own, because Django is set up once and for one database."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(BENCHMARKS)}")
    names = parser.parse_args().names or list(BENCHMARKS)
    if unknown := set(names) - set(BENCHMARKS):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    if len(names) == 1:
        return run(names[0])
    return max(
        subprocess.run([sys.executable, "-m", "bench", name], check=False).returncode for name in names
    )


def run(name: str) -> int:
    with world({}) as made:
        try:
            figures = import_module(f"bench.{name}").measure(made)
        except (PermissionError, NotMeasured) as refusal:
            print(f"{name}: not measured: {refusal}", flush=True)
            return 0
        for figure in figures:
            print(figure, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
