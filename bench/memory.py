"""Memory: of all processes of `make up` when idle, and of a web process before and after 10,000 chats."""

import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import psutil

from bench.figures import Figure
from bench.loading import product
from bench.loading.generator import turn
from bench.loading.loads import BY_KEY
from tests.chaos.world import World
from tests.config.installation import Installation

KINDS = {
    "manage.py": "runner", "config.web": "web", "-Q mcp": "MCP worker", "-Q default": "worker",
    "postgres": "PostgreSQL", "redis": "Redis", "shim.py": "shims",
}  # fmt: skip
"""By words of a command line. The stand-in for an LLM and MCP servers are not ours, and left out."""
INDEXED_S = 60
MOMENTS_S = (20, 90, 180)
"""After the second start. The pools shrink by a connection a minute: by the last nothing is left to close."""
WARM_UP, CHATS = 1_000, 10_000
CALLERS, TURN_S = 16, 2.0


def measure(world: World) -> Iterator[Figure]:
    """Yields MB of PSS (what is shared is counted once), and the growth of a web process in percent."""
    yield _idle()
    yield from _growth(world)


def _idle() -> Figure:
    """Returns the largest of several moments: first more tasks have run, then pools have shrunk."""
    with tempfile.TemporaryDirectory() as folder:
        installation = Installation(Path(folder, "data")).wait_for_curl()
        time.sleep(INDEXED_S)  # it indexes the tools, for which the worker loads MiniLM: once and not again
        installation.up.terminate()
        installation.wait(timeout_s=30)
        again = Installation(installation.data_dir).wait_for_curl()
        try:
            began = time.monotonic()
            found = []
            for moment in MOMENTS_S:
                time.sleep(max(0.0, began + moment - time.monotonic()))
                found.append(_by_kind([psutil.Process(again.up.pid), *again.processes()]))
        finally:
            again.up.terminate()
            again.wait(timeout_s=30)
    largest = max(found, key=lambda kinds: sum(kinds.values()))
    parts = ", ".join(f"{kind} {mb:.0f}" for kind, mb in largest.items())
    return Figure(f"`make up`, idle, started a second time ({parts})", [sum(largest.values())], "MB", 300.0)


def _by_kind(processes: list[psutil.Process]) -> dict[str, float]:
    found: dict[str, float] = defaultdict(float)
    for process in processes:
        command = " ".join(process.cmdline())
        if kind := next((kind for words, kind in KINDS.items() if words in command), ""):
            found[kind] += _pss_mb(process)
    return found


def _pss_mb(process: psutil.Process) -> float:
    return float(process.memory_full_info().pss) / 2**20


def _growth(world: World) -> Iterator[Figure]:
    made = product.start(world, product.start_behind(world))
    web = psutil.Process(made.kinds["web"][0])

    def size_after(chats: int) -> float:
        while chats > 0:
            chats -= turn(made, BY_KEY["chat"], CALLERS, TURN_S).requests
        time.sleep(2)
        return _pss_mb(web)

    before = size_after(WARM_UP)
    after = size_after(CHATS)
    yield Figure(f"a web process after {WARM_UP} chats", [before], "MB")
    yield Figure(f"it has grown after {CHATS} more", [(after / before - 1) * 100], "%", 5.0)
