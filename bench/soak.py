"""`python -m bench.soak [--minutes M]`: the whole product under mixed load for long, watched for what grows.

Ends with code 1 if a request was answered wrongly, or if memory, descriptors, threads, connections, keys of
Redis or temporary files have grown by 3 % or more between the first quarter and the last.
"""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from tests.chaos.world import World, world

SAMPLE_EVERY_S = 5.0
SHOWN = 5
SETTINGS = {"MCP_SESSION_S": "60"}
"""Redis remembers an ended session of MCP until it would have expired: by default for longer than a soak."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="60 without it")
    minutes = parser.parse_args().minutes
    if minutes < 1:
        parser.error("a soak takes a minute at least")
    with world(SETTINGS) as made:
        return soak(made, minutes * 60)


def soak(made: World, seconds: float) -> int:
    """Returns 1 if anything was wrong, else 0."""
    temporary = made.folder / "tmp"
    temporary.mkdir()
    os.environ["TMPDIR"] = str(temporary)
    # Only now is Django set up, which they need at their import.
    product, report = import_module("bench.loading.product"), import_module("bench.soaking.report")
    target = product.start(made, product.start_behind(made))
    made.start_beats(1)
    print(f"{seconds / 60:g} minutes, of which {warm_up(seconds) / 60:.1f} to warm up", flush=True)
    told, samples = asyncio.run(_run(made, target, seconds))
    grown = import_module("bench.soaking.usage").growths(samples)
    print(report.of_requests(told, seconds))
    print(report.of_usage(grown))
    wrong = [error for each in told.values() for error in each.errors]
    for error in wrong[:SHOWN]:
        print(f"WRONG: {error}")
    is_flat = not any(each.is_too_much for each in grown)
    print("passed" if is_flat and not wrong else "failed")
    return 0 if is_flat and not wrong else 1


def warm_up(seconds: float) -> float:
    """Returns the seconds before anything is measured: pools and caches fill, periodic tasks run once."""
    return min(seconds / 3, max(120.0, seconds / 8))


async def _run(made: World, target: Any, seconds: float) -> tuple[dict[str, Any], Sequence[Any]]:
    callers, requests = import_module("bench.soaking.callers"), import_module("bench.soaking.requests")
    kinds = requests.kinds(target)
    told = {name: callers.Told() for name in (*(kind.name for kind in kinds), "invalid")}
    asking = [
        asyncio.create_task(callers.ask_for_ever(target.port, target.headers, kind, told[kind.name]))
        for kind in kinds
    ]
    invalid = requests.invalid()
    asking.append(
        asyncio.create_task(
            callers.ask_invalid_for_ever(target.port, target.headers, invalid, told["invalid"])
        )
    )
    try:
        samples = await _sampled(made, seconds)
        for task in asking:
            if task.done():
                task.result()  # it should have gone on
    finally:
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
    return told, samples


async def _sampled(made: World, seconds: float) -> list[Any]:
    usage = import_module("bench.soaking.usage")
    kinds, samples = usage.processes(made), []
    began = time.monotonic()
    await asyncio.sleep(warm_up(seconds))
    while time.monotonic() - began < seconds:
        samples.append(await asyncio.to_thread(usage.measured, kinds, made.folder / "tmp"))
        await asyncio.sleep(SAMPLE_EVERY_S)
    return samples


if __name__ == "__main__":
    sys.exit(main())
