"""Measures the tool search: indexing, latency beside a bare scan, and recall, with a set from elsewhere.

BENCH_CORPORA names a folder with `corpus_*.jsonl` and `queries_dev.jsonl` (see `bench.corpora`),
BENCH_EVALUATE the script that scores a search over HTTP by them.
"""

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

from django.db.models import Count

from assistants import actions as assistant_actions
from bench import corpora
from bench.figures import Figure, NotMeasured
from bench.web import BY, Caller, start_web
from core import feed, reading
from tests.chaos.world import World
from tools.models import MCPTool
from tools.search import Scope, embedder, index, read_as, search

CORPORA: dict[str, tuple[str, ...]] = {"mcp": ("mcp:livemcp",), "toolbench": (), "toole": ()}
SIZES = {1_000: 10.0, 10_000: 40.0}
"""Milliseconds that a search may take, by the number of tools."""
SEARCHES, CHATS = 300, 100
INDEXED_WITHIN_S = 150.0
MOST_SCANS = 2.0
"""Bare scans that a search may take as long as."""
REPEATS = 3
"""The quickest counts: a search shares the machine with whatever else runs."""
POLL_S = 0.5
_SETTLES_S = 0.001
"""After its answer, PostgreSQL's process goes to sleep, and the time that it took is counted."""


@dataclass(frozen=True, slots=True)
class Cost:
    """The milliseconds that passed, and those that this process and PostgreSQL's spent on a processor."""

    passed: float
    spent: float


def measure(world: World) -> list[Figure]:
    """Returns the figures. Raises NotMeasured without a retrieval set."""
    folder, evaluate = _given()
    assistants = corpora.load(folder, "mcp", parts=CORPORA["mcp"])
    caller = start_web(world)
    assistant_actions.create(by=BY, name="chat", slug="chat", model="stand-in", api_keys=[caller.key.api_key])
    figures = _indexing(world, caller)
    for name in list(CORPORA)[1:]:
        assistants |= corpora.load(folder, name, parts=CORPORA[name])
    _wait_until_indexed()
    queries = [json.loads(line)["query"] for line in (folder / "queries_dev.jsonl").open(encoding="utf-8")]
    random.Random(1).shuffle(queries)  # noqa: S311
    for size, goal in SIZES.items():
        figures += _latency(size, goal, asyncio.run(_searches(_scope(size), queries[:SEARCHES])))
    _evaluate(folder, evaluate, caller, assistants)
    return figures


def _given() -> tuple[Path, Path]:
    try:
        return Path(os.environ["BENCH_CORPORA"]), Path(os.environ["BENCH_EVALUATE"])
    except KeyError as missing:
        raise NotMeasured(f"{missing.args[0]} is not set") from None


def _indexing(world: World, caller: Caller) -> list[Figure]:
    tools = index.progress().functions
    idle = [caller.chat_ms("chat") for _ in range(CHATS)]
    began = time.monotonic()
    world.start_beats(1)
    meanwhile = []
    while not index.progress().is_complete:
        meanwhile.append(caller.chat_ms("chat"))
        time.sleep(POLL_S)
    took_s = time.monotonic() - began
    return [
        Figure(f"{tools:,} tools indexed, from the worker's start", [took_s], goal=INDEXED_WITHIN_S),
        Figure("chat while nothing is indexed", idle, "ms"),
        Figure("chat while tools are indexed", meanwhile, "ms"),
    ]


def _wait_until_indexed() -> None:
    while not index.progress().is_complete:
        time.sleep(POLL_S)


def _scope(size: int) -> Scope:
    """Returns a scope of servers with about `size` tools in all, the same ones each time."""
    functions = Count("functions")
    servers = list(MCPTool.objects.annotate(size=functions).order_by("pk").values_list("pk", "size"))
    random.Random(2).shuffle(servers)  # noqa: S311
    totals = accumulate(count for _, count in servers)
    return Scope(frozenset(pk for (pk, _), total in zip(servers, totals, strict=True) if total <= size))


async def _searches(scope: Scope, queries: list[str]) -> list[tuple[Cost, Cost]]:
    """Returns the costs of each search without its embedding, and of a bare scan of the same tools."""
    took = []
    async with feed.listening(), reading.lifespan():
        [(backend,)] = await reading.fetch("SELECT pg_backend_pid()", ())
        for query in queries:
            await search(query, scope, limit=10)  # embeds its texts: the others find the vectors in memory
            scan = _scan(scope, await _vector(query))
            rounds = [
                (
                    await _cost(partial(search, query, scope, limit=10), backend),
                    await _cost(partial(reading.fetch, *scan), backend),
                )
                for _ in range(REPEATS)
            ]
            searched, scanned = zip(*rounds, strict=True)
            took.append((_least(searched), _least(scanned)))
    return took


async def _vector(query: str) -> list[float]:
    active = embedder.active()
    if active is None:
        raise NotMeasured("there is no embedder")
    [vector] = await active.embed_query([read_as(query)])
    return vector


def _scan(scope: Scope, vector: list[float]) -> tuple[str, list[str]]:
    """Returns the statement of a search that does nothing but compare vectors, and its parameters."""
    statement = """SELECT id FROM tools_toolfunction WHERE server_id = ANY(%s::bigint[])
        ORDER BY embedding <=> %s::vector LIMIT 10"""
    return statement, [f"{{{','.join(map(str, scope.server_ids or ()))}}}", json.dumps(vector)]


async def _cost(work: Callable[[], Coroutine[Any, Any, object]], backend: int) -> Cost:
    """`backend`: the process of PostgreSQL that serves this event loop, one statement after the other."""
    before, own, began = _spent_ms(backend), time.process_time(), time.perf_counter()
    await work()
    passed, own = time.perf_counter() - began, time.process_time() - own
    await asyncio.sleep(_SETTLES_S)
    return Cost(passed * 1000, own * 1000 + _spent_ms(backend) - before)


def _spent_ms(pid: int) -> float:
    """Returns the processor time of a process: psutil has it in hundredths of a second."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text("ascii").split()[0]) / 1e6
    except OSError:
        raise NotMeasured("processor time is read from /proc, as Linux has it") from None


def _least(costs: Sequence[Cost]) -> Cost:
    return Cost(min(cost.passed for cost in costs), min(cost.spent for cost in costs))


def _latency(size: int, goal: float, took: list[tuple[Cost, Cost]]) -> list[Figure]:
    searched, scanned = zip(*took, strict=True)
    what = f"search of {size:,} tools, embedding aside"
    passed = [cost.passed for cost in searched]
    return [
        Figure(what, passed, "ms"),
        Figure(f"{what}, 95th percentile", passed, "ms", goal=goal, is_p95=True),
        Figure(f"bare scan of {size:,} tools", [cost.passed for cost in scanned], "ms"),
        Figure(f"{what}, in bare scans", [one.passed / other.passed for one, other in took], "", MOST_SCANS),
        Figure(f"{what}, processor time", [cost.spent for cost in searched], "ms"),
        Figure(f"bare scan of {size:,} tools, processor time", [cost.spent for cost in scanned], "ms"),
        Figure(
            f"{what}, processor time in bare scans",
            [one.spent / other.spent for one, other in took],
            "",
            MOST_SCANS,
        ),
    ]


def _evaluate(folder: Path, evaluate: Path, caller: Caller, assistants: dict[str, str]) -> None:
    """Runs the script, which prints a table. It knows a hit by slug and function: see `corpora.slug`."""
    url = f"{caller.url}/api/v1/mcp-tools/search?q={{query}}&assistant={{assistant}}&limit={{limit}}"
    command = [sys.executable, str(evaluate), "--url", url, "--fields", "server=server_slug,tool=function"]
    command += ["--header", f"Authorization: Bearer {caller.key.key}", "--corpus-dir", str(folder)]
    command += ["--queries", str(folder / "queries_dev.jsonl")]
    command += [part for name, slug in assistants.items() for part in ("--assistant", f"{name}={slug}")]
    sys.stdout.flush()
    subprocess.run(command, check=True)
