"""What the processes of a soak use, measured again and again, and whether it has grown."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import redis
from django.conf import settings
from django.db import connection

from bench import processor
from bench.processor import Kinds
from tests.chaos.world import World

MOST_GROWTH = 0.03
SOON_S = 60
NOISE = {"memory, MB": 0.5, "largest process, MB": 0.5, "temporary files": 2.0, "Redis keys": 10.0}
"""Differences of medians that are no growth, whatever part of them they are. Of all else FEW."""
FEW = 2.0
"""Descriptors, threads and connections come and go by ones and twos."""
Usage = Mapping[tuple[str, str], float]
"""Values by what uses it (a kind of process, or a service) and what it is."""


@dataclass(frozen=True, slots=True)
class Growth:
    """Medians of the four quarters of the samples: whether growth levels off is seen in those between."""

    who: str
    what: str
    quarters: tuple[float, ...]

    @property
    def first(self) -> float:
        return self.quarters[0]

    @property
    def last(self) -> float:
        return self.quarters[-1]

    @property
    def part(self) -> float:
        return (self.last - self.first) / self.first if self.first else 0.0

    @property
    def is_too_much(self) -> bool:
        return self.last - self.first > max(MOST_GROWTH * self.first, NOISE.get(self.what, FEW))


@dataclass(frozen=True, slots=True)
class Used:
    """What one process uses."""

    memory_mb: float
    descriptors: int
    threads: int


def processes(world: World) -> Kinds:
    """Returns the ids of all processes of the product by kind: what a request needs, and the rest."""
    named = processor.ours(world)
    others = {helper.name: [helper.pid] for helper in world.helpers if helper.name in ("worker", "beat0")}
    return {
        "web": named["web"],
        "MCP worker": named["worker"],
        "worker": others["worker"],
        "beat": others["beat0"],
        "PostgreSQL": named["postgres"],
        "Redis": named["redis"],
    }


def measured(kinds: Kinds, folder: Path) -> Usage:
    """Returns what all of them use now. `folder`: where the product puts temporary files."""
    found: dict[tuple[str, str], float] = {}
    for who, pids in kinds.items():
        used = list(_of_processes(processor.trees(pids)))
        summary = _of_connections(used) if who == "PostgreSQL" else _in_all(used)
        found |= {(who, what): value for what, value in summary.items()}
    found["PostgreSQL", "connections"] = _connections()
    found["Redis", "Redis keys"] = staying_keys()
    found["all", "temporary files"] = sum(1 for path in folder.rglob("*") if path.is_file())
    return found


def growths(samples: Sequence[Usage]) -> list[Growth]:
    """Compares the first quarter of the samples with the last. Raises ValueError of fewer than four."""
    quarter = len(samples) // 4
    if not quarter:
        raise ValueError(f"Of {len(samples)} samples there are no quarters.")
    # Counted from both ends: what does not come out even is in the middle.
    quarters = (
        samples[:quarter],
        samples[quarter : 2 * quarter],
        samples[-2 * quarter : -quarter],
        samples[-quarter:],
    )
    return [Growth(*name, tuple(_median(each, name) for each in quarters)) for name in samples[-1]]


def _median(samples: Sequence[Usage], name: tuple[str, str]) -> float:
    return statistics.median(sample.get(name, 0.0) for sample in samples)


def _of_processes(processes: Sequence[psutil.Process]) -> Iterator[Used]:
    for process in processes:
        try:
            yield Used(own_memory(process.pid) / 1e6, process.num_fds(), process.num_threads())
        except (psutil.NoSuchProcess, ProcessLookupError, FileNotFoundError):  # it has ended
            continue


def _in_all(used: Sequence[Used]) -> dict[str, float]:
    return {
        "memory, MB": sum(each.memory_mb for each in used),
        "descriptors": sum(each.descriptors for each in used),
        "threads": sum(each.threads for each in used),
    }


def _of_connections(used: Sequence[Used]) -> dict[str, float]:
    """Returns what tells growth of PostgreSQL, which has a process for each connection.

    A connection keeps the plans of what it was asked, and files of the tables open that it has used, both up
    to limits of its own, until its pool closes it as idle: so sums follow what the pools do. What grows in a
    connection without an end makes it the largest process.
    """
    return {"largest process, MB": max(each.memory_mb for each in used), "processes": len(used)}


def own_memory(pid: int) -> int:
    """Returns the bytes that a process has allocated. Of those that it shares with its forks it has a part.

    Pages of mapped files (libraries, the weights of MiniLM) do not count. The kernel keeps them once for all
    processes of the machine: a process's part of them grows when anything else ends that has mapped them.
    Nor do the shared buffers of PostgreSQL, which fill, as they should, until they are full.
    """
    _, *lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    values = dict(line.split(":", 1) for line in lines)
    return int(values["Pss_Anon"].split()[0]) * 1024  # in kB


def _connections() -> float:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")
        return float(cursor.fetchone()[0])


def staying_keys() -> float:
    """Counts those that stay: what expires within a minute tells how many requests there were in the last."""
    with redis.Redis.from_url(settings.REDIS_URL) as client, client.pipeline(transaction=False) as asked:
        for key in client.scan_iter(count=1_000):
            asked.ttl(key)
        return float(sum(not 0 <= ttl <= SOON_S for ttl in asked.execute()))
