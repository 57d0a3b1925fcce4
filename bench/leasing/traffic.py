"""What workers ask of PostgreSQL, and what that costs it."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from bench import processor
from connector.leases import sql, store
from core.database import connect
from tests.chaos.world import World

NAMES = {text: name for name, text in vars(sql).items() if name.isupper()}
_COUNTED = """
SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn, sum(n_tup_upd), sum(n_tup_hot_upd), sum(n_tup_ins)
FROM pg_stat_user_tables WHERE relname IN ('connector_instance', 'connector_worker', 'tools_mcptool')
"""


@dataclass(slots=True)
class Traffic:
    """Of some seconds. `statements`: what each took, by name. `cpu_s`: processor seconds of PostgreSQL."""

    seconds: float = 0.0
    statements: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    cpu_s: float = 0.0
    wal_bytes: float = 0.0
    updated: float = 0.0
    hot: float = 0.0

    def __str__(self) -> str:
        number = sum(map(len, self.statements.values()))
        a_second = ", ".join(
            f"{name} {len(took) / self.seconds:.0f} ({sum(took) / len(took) * 1000:.1f} ms)"
            for name, took in sorted(self.statements.items(), key=lambda each: -sum(each[1]))
        )
        each_ms, hot = self.cpu_s / max(1, number) * 1000, self.hot / max(1, self.updated)
        return (
            f"{number / self.seconds:,.0f} statements a second, PostgreSQL {self.cpu_s / self.seconds:.2f} "
            f"cores ({each_ms:.2f} ms each), {self.updated / self.seconds:,.0f} rows updated a second "
            f"({hot:.0%} HOT), WAL {self.wal_bytes / self.seconds / 1e6:.2f} MB a second; of them: {a_second}"
        )


class Meter:
    """Counts what passes `connector.leases.store` of this process, by its one function that sends."""

    def __init__(self, world: World) -> None:
        self._kinds = {"postgres": [world.postgres.pid]}
        self._now = Traffic()

    @contextmanager
    def counting(self) -> Iterator[None]:
        real = store._fetch  # noqa: SLF001 - the one place that all statements pass

        async def fetch(to: Any, statement: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
            began = time.perf_counter()
            try:
                return await real(to, statement, values)
            finally:
                self._now.statements[NAMES[statement]].append(time.perf_counter() - began)

        with patch.object(store, "_fetch", fetch):
            yield

    async def begin(self) -> None:
        self._now = Traffic()
        self._before = await self._counted()
        self._began, self._cpu = time.monotonic(), self._cpu_s()

    async def end(self) -> Traffic:
        """Returns the traffic since `begin`."""
        traffic, self._now = self._now, Traffic()
        traffic.seconds = time.monotonic() - self._began
        traffic.cpu_s = self._cpu_s() - self._cpu
        after = await self._counted()
        traffic.wal_bytes, traffic.updated, traffic.hot = (
            after[index] - self._before[index] for index in range(3)
        )
        return traffic

    def _cpu_s(self) -> float:
        return processor.spent(self._kinds)["postgres"]

    async def _counted(self) -> list[float]:
        async with await connect() as database:
            row = await (await database.execute(_COUNTED)).fetchone()
            return [float(value or 0) for value in row or ()]
