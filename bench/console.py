"""Measures every page of the console on an installation that has been used for months."""

import http.client
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bench import installation
from bench.console_pages import Address, addresses
from bench.figures import Figure
from bench.people import session_of_a_superuser
from bench.processor_time import of_world_s
from bench.web import start_web
from tests.chaos.world import World

REQUESTS, WARM_UP = 20, 3
GOAL_MS = 300.0
NO_PAGE = (302, 403, 405)
"""Of addresses that redirect, that nobody may see (a run cannot be added), or that are only posted to."""


def measure(world: World) -> Iterator[Figure]:
    """Yields the time to the first byte of each page, of 20 requests one after the other.

    Beside it stands what a request costs all processes, PostgreSQL included, in milliseconds of processor
    time: that depends less on what else the machine does.
    """
    began = time.monotonic()
    installation.fill()
    yield Figure("filling 500 servers, 1,000 keys, 100,000 runs, 300,000 calls", [time.monotonic() - began])
    browser = _Browser(start_web(world).url, session_of_a_superuser())
    for address in addresses():
        if browser.status(address.url) not in NO_PAGE:
            yield _figure(world, browser, address)


def _figure(world: World, browser: "_Browser", address: Address) -> Figure:
    for _ in range(WARM_UP):
        browser.first_byte_ms(address.url)
    spent = of_world_s(world)
    took = [browser.first_byte_ms(address.url) for _ in range(REQUESTS)]
    cost = (of_world_s(world) - spent) / REQUESTS * 1000
    what = f"{address.name} ({address.url}), {browser.queries(address.url)} queries, {cost:.0f} ms of a core"
    return Figure(what, took, "ms", GOAL_MS, is_p95=True)


class _Browser:
    """Somebody who is logged in. Raises RuntimeError for an answer that is no page."""

    def __init__(self, url: str, session: str) -> None:
        self._headers = {"Cookie": f"{settings.SESSION_COOKIE_NAME}={session}"}
        self._host = urlsplit(url).netloc
        self._here = Client(headers={"host": self._host})
        self._here.cookies[settings.SESSION_COOKIE_NAME] = session

    def status(self, address: str) -> int:
        return self._get(address)[0]

    def first_byte_ms(self, address: str) -> float:
        status, took = self._get(address)
        if status != 200:
            raise RuntimeError(f"{address}: {status}")
        return took

    def queries(self, address: str) -> int:
        """Returns the number of its queries, those of the session and of the person included."""
        with CaptureQueriesContext(connection) as captured:
            self._here.get(address)
        return len(captured)

    def _get(self, address: str) -> tuple[int, float]:
        connection = http.client.HTTPConnection(self._host, timeout=60)
        began = time.perf_counter()
        connection.request("GET", address, headers=self._headers)
        status = connection.getresponse().status
        took = (time.perf_counter() - began) * 1000
        connection.close()
        return status, took
