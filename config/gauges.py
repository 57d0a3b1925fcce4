"""What is known at the moment of a scrape alone: by the database, by Redis, by the change feed.

A service that does not answer in time is left out, and `mcp_connector_scrape_part_up` says so.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping

from django.db.models import Count
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from assistants.models import Approval
from assistants.recording import outbox
from config.health import UNANSWERED
from connector.status.workers import nodes_alive
from core import feed, redis
from core.database import in_thread
from tools.models import MCPTool, Status

log = logging.getLogger(__name__)

WITHIN_S = 2.0
QUEUES = ("default", "mcp")
MEANINGS = {
    "mcp_connector_servers": "Registered MCP servers.",
    "mcp_connector_workers_alive": "Workers that can own MCP servers, and are alive.",
    "mcp_connector_approvals_waiting": "Calls of tools that wait for somebody's decision.",
    "mcp_connector_queue_messages": "Messages that wait in a queue of Celery.",
    "mcp_connector_outbox_runs": "Entries of ended runs that are no rows yet.",
    "mcp_connector_feed_lag_seconds": "From a notification in the database to its arrival in this process.",
    "mcp_connector_scrape_part_up": "Whether a part of this scrape could be read.",
}

Sample = tuple[str, Mapping[str, str], float]


async def rendered() -> bytes:
    """Returns the gauges as Prometheus reads them, after WITHIN_S and a little more at most. Never fails."""
    parts: dict[str, Callable[[], Awaitable[Iterable[Sample]]]] = {
        "database": in_thread(_of_database),
        "redis": _of_redis,
        "feed": _of_feed,
    }
    read = await asyncio.gather(*(_read(name, part) for name, part in parts.items()))
    registry = CollectorRegistry()
    registry.register(_Samples([sample for samples in read for sample in samples]))
    return generate_latest(registry)


async def _read(name: str, part: Callable[[], Awaitable[Iterable[Sample]]]) -> list[Sample]:
    try:
        async with asyncio.timeout(WITHIN_S):
            samples = list(await part())
    except UNANSWERED as error:
        log.warning("A scrape of the metrics is without the %s (%s).", name, type(error).__name__)
        return [("mcp_connector_scrape_part_up", {"part": name}, 0)]
    return [*samples, ("mcp_connector_scrape_part_up", {"part": name}, 1)]


def _of_database() -> list[Sample]:
    counted = MCPTool.objects.present().order_by().values_list("status").annotate(Count("pk"))
    servers = dict.fromkeys(Status.values, 0) | dict(counted)
    return [
        *(("mcp_connector_servers", {"status": status}, number) for status, number in servers.items()),
        ("mcp_connector_workers_alive", {}, len(nodes_alive())),
        ("mcp_connector_approvals_waiting", {}, Approval.objects.waiting().count()),
    ]


async def _of_redis() -> list[Sample]:
    async with redis.unbounded() as client, client.pipeline(transaction=False) as asked:
        for queue in QUEUES:
            asked.llen(queue)
        asked.hlen(outbox.KEY)
        *lengths, ended = await asked.execute()
    queued = zip(QUEUES, lengths, strict=True)
    return [
        *(("mcp_connector_queue_messages", {"queue": queue}, length) for queue, length in queued),
        ("mcp_connector_outbox_runs", {}, ended),
    ]


async def _of_feed() -> list[Sample]:
    return [("mcp_connector_feed_lag_seconds", {}, await feed.lag_s(within_s=WITHIN_S))]


class _Samples(Collector):
    def __init__(self, samples: Iterable[Sample]) -> None:
        self._samples = samples

    def collect(self) -> Iterator[GaugeMetricFamily]:
        families: dict[str, GaugeMetricFamily] = {}
        for name, labels, value in self._samples:
            if name not in families:
                families[name] = GaugeMetricFamily(name, MEANINGS[name], labels=list(labels))
            families[name].add_metric(list(labels.values()), value)
        yield from families.values()
