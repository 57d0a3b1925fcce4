"""`python -m tests.chaos PART [--seconds S] [--seed N]`: injects faults into real processes of its own.

Ends with code 1 if anything was wrong, with 77 and a reason where it is not permitted.
"""

import argparse
import secrets
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from importlib import import_module

from tests.chaos.shifted_clock import shifted_clock
from tests.chaos.world import SHORT_TIMES, world

NOT_PERMITTED = 77
LOG_TAIL = 4000  # characters of each log
PARTS = ("storm", "partition", "capacity", "approvals", "failover", "sentinel", "clock")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--short-leases", action="store_true", help="of 6 s instead of 15")
    options = parser.parse_args()
    print(f"{options.part}, seed {options.seed}", flush=True)
    settings = SHORT_TIMES if options.short_leases else {}
    try:
        with shifted_clock() if options.part == "clock" else nullcontext({}) as clock:
            return _run(options, {**settings, **clock})
    except PermissionError as refusal:
        print(refusal)
        return NOT_PERMITTED


def _run(options: argparse.Namespace, settings: Mapping[str, str]) -> int:
    with world(settings) as made:
        # Only now is Django set up, which they need at their import.
        part = import_module(f"tests.chaos.{options.part}")
        try:
            failures = part.run(made, seconds=options.seconds, seed=options.seed)
        except TimeoutError as error:
            failures = [str(error)]
        for failure in failures:
            print(f"WRONG: {failure}")
        if failures:
            for log in sorted(made.folder.glob("*.log")):
                print(f"--- {log.stem}\n{log.read_text()[-LOG_TAIL:]}")
    print("failed" if failures else "passed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
