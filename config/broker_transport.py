"""Celery's transport for Redis, made tolerant: a message that is none is dropped, and ends no worker.

Kombu's own raises what JSON raises, out of the worker's event loop: one line of nonsense in a list ended
every worker that came to it.
"""

import logging
from queue import Empty
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.retry import Retry

from core.refused_writes import REFUSALS
from core.sentinel_address import PORT, SCHEME

log = logging.getLogger(__name__)


class _Tolerant:
    """Its reply to BRPOP is off the list already: not to deliver it is to drop it."""

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)  # type: ignore[misc] # missing in the stubs
        # Bytes that are no text are a ValueError, too.
        except ValueError as error:
            log.error("A message in a queue was dropped: it is no JSON (%s).", type(error).__name__)
            raise Empty from error
        # A Redis that has become a replica says so to those who wait for messages.
        except ResponseError as error:
            raise RedisConnectionError(str(error)) from error


class Channel(_Tolerant, redis.Channel):
    pass


class SentinelChannel(_Tolerant, redis.SentinelChannel):
    """Asks the next sentinel at once where one does not answer: redis-py would ask it four times first."""

    sentinel_kwargs: dict[str, Any]

    def _sentinel_managed_pool(self, asynchronous: bool = False) -> Any:
        self.sentinel_kwargs = {**self.sentinel_kwargs, "retry": Retry(NoBackoff(), 0)}
        return super()._sentinel_managed_pool(asynchronous)  # type: ignore[misc] # missing in the stubs


class Transport(redis.Transport):
    """Delivers what has the form of a message. No content is logged: arguments of tasks may be secret."""

    Channel = Channel

    connection_errors = (*redis.Transport.connection_errors, *REFUSALS)
    """One that takes no writes counts as one that is away: a worker waits for it, and does not end."""

    def _deliver(self, message: Any, queue: str | None) -> None:
        if _is_message(message):
            super()._deliver(message, queue)
        else:
            log.error("A message in the queue %s was dropped: it has not the form of a message.", queue)


class SentinelTransport(Transport):
    """The same behind Sentinel."""

    default_port = PORT
    Channel = SentinelChannel  # type: ignore[assignment] # kombu's own does the same


def _is_message(found: Any) -> bool:
    """Returns whether the fields that Kombu and Celery read have the types that they expect."""
    if not isinstance(found, dict) or not isinstance(found.get("body", ""), str):
        return False
    properties, headers = found.get("properties"), found.get("headers")
    if not isinstance(properties, dict) or not isinstance(headers, dict):
        return False
    # Messages of workers to each other name no task.
    has_task_name = isinstance(headers.get("task", ""), str)
    delivery = properties.get("delivery_info")
    return has_task_name and isinstance(properties.get("delivery_tag"), str) and isinstance(delivery, dict)


def install() -> None:
    """Makes Kombu use these transports for `redis:`, `rediss:` and `sentinel:` addresses.

    The setting `broker_transport` would do so without TLS: Kombu knows that by the name `rediss`.
    """
    TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss"), f"{__name__}:Transport"))
    TRANSPORT_ALIASES[SCHEME] = f"{__name__}:SentinelTransport"
