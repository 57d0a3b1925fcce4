"""What the supervisor reads and writes through the ORM: in a thread, its connection closed afterwards."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from django.db import connection

from connector.session import Offers
from tools import catalogue, offers
from tools.launch import LaunchSpec, launch_specs
from tools.models import Offer

T = TypeVar("T")


async def read_spec(server_id: int) -> LaunchSpec | None:
    """How to launch the server, or None if it is gone. Raises what decrypting its secrets raises."""
    return await _in_thread(lambda: launch_specs([server_id]).get(server_id))


async def record_catalogue(server_id: int, tools: Sequence[dict[str, Any]]) -> None:
    await _in_thread(lambda: catalogue.record(server_id, tools))


async def record_offers(server_id: int, found: Offers) -> None:
    by_kind = {
        Offer.Kind.RESOURCE: found.resources,
        Offer.Kind.TEMPLATE: found.templates,
        Offer.Kind.PROMPT: found.prompts,
    }
    await _in_thread(lambda: offers.record(server_id, by_kind))


async def _in_thread(work: Callable[[], T]) -> T:
    def run() -> T:
        try:
            return work()
        finally:
            connection.close()

    return await asyncio.to_thread(run)
