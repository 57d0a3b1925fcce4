"""`python -m bench [NAME]...`: measures on real processes of its own, and prints medians beside the goals."""

import argparse
import subprocess
import sys
from importlib import import_module
from typing import Any

from bench.figures import NotMeasured
from bench.loading import options
from tests.chaos.world import world

BENCHMARKS = (
    "takeover", "lease_expiry", "handover", "crash", "hop", "flood", "big_result", "many_servers",
    "retrieval", "chat", "loop_pause", "console", "live_pages", "mcp", "approvals", "rules",
    "observability", "start", "memory", "load", "leases", "changes",
)  # fmt: skip


def main() -> int:
    """Runs each benchmark in a process of its own, because Django is set up once and for one database."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(BENCHMARKS)}")
    options.add(parser)
    parsed = parser.parse_args()
    names = parsed.names or list(BENCHMARKS)
    if unknown := set(names) - set(BENCHMARKS):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    given = options.read(parsed)
    if given and names != ["load"]:
        parser.error("options are of the benchmark load alone")
    if len(names) == 1:
        return run(names[0], *([given] if given else []))
    return max(
        subprocess.run([sys.executable, "-m", "bench", name], check=False).returncode for name in names
    )


def run(name: str, *given: Any) -> int:
    """Returns 1 if what was asked for by an option cannot be measured here."""
    with world({}) as made:
        try:
            for figure in import_module(f"bench.{name}").measure(made, *given):
                print(figure, flush=True)
        except (PermissionError, NotMeasured) as refusal:
            print(f"{name}: not measured: {refusal}", flush=True)
            return 1 if given else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
