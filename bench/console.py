"""Measures every list and page of the console on an installation that has been used for months."""

import http.client
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore

from assistants.models import Assistant, Run
from bench import installation
from bench.figures import Figure
from bench.web import start_web
from tests.chaos.world import World

REQUESTS, WARM_UP = 20, 3
GOAL_MS = 300.0


def measure(world: World) -> list[Figure]:
    """Returns the time to the first byte of each page, of 20 requests one after the other."""
    began = time.monotonic()
    installation.fill()
    filled = Figure(
        "filling 500 servers, 1,000 keys, 100,000 runs, 300,000 calls", [time.monotonic() - began]
    )
    browser = _Browser(start_web(world).url)
    return [filled, *(_figure(browser, name, address) for name, address in _pages())]


def _figure(browser: "_Browser", name: str, address: str) -> Figure:
    for _ in range(WARM_UP):
        browser.first_byte_ms(address)
    took = [browser.first_byte_ms(address) for _ in range(REQUESTS)]
    return Figure(f"{name} ({address})", took, "ms", GOAL_MS, is_p95=True)


def _pages() -> Iterator[tuple[str, str]]:
    """Yields names and addresses: each model's list with a search, and its newest row."""
    for period in ("24h", "7d", "30d"):
        yield f"overview of {period}", f"/admin/?period={period}"
    yield "needs you", "/admin/needs-you/"
    for query in ("by=api_key", "by=assistant&by=model", "by=day&days=90"):
        yield "usage", f"/admin/usage/?{query}"
    for model, page in admin.site._registry.items():  # noqa: SLF001 - all that have pages
        address = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        yield f"{model._meta.verbose_name_plural}", address
        if page.search_fields:
            yield f"{model._meta.verbose_name_plural}, search", f"{address}?q=weather"
        row = model._default_manager.order_by("-pk").values_list("pk", flat=True).first()
        if row is not None:
            yield f"{model._meta.verbose_name}", f"{address}{row}/change/"
    yield from _runs()


def _runs() -> Iterator[tuple[str, str]]:
    run = Run.objects.order_by("pk").values("api_key_id", "started_at").get(pk=Run.objects.earliest("pk").pk)
    queries = (
        "p=1000",
        "status__exact=failed",
        f"api_key__id__exact={run['api_key_id']}",
        f"assistant__id__exact={Assistant.objects.earliest('pk').pk}",
        "tool=find_weather_0",
        "tool=Weather+10",
        "error=upstream",
        "error=no+such+error",
        f"started_at_to_0={run['started_at']:%Y-%m-%d}",
        "q=team+7",
    )
    for query in queries:
        yield "runs, filtered", f"/admin/assistants/run/?{query}"


class _Browser:
    """A superuser who is logged in. Raises RuntimeError for an answer that is no page."""

    def __init__(self, url: str) -> None:
        user = User.objects.create_superuser("bench")
        session = SessionStore()
        session["_auth_user_id"] = str(user.pk)
        session["_auth_user_backend"] = settings.AUTHENTICATION_BACKENDS[-1]
        session["_auth_user_hash"] = user.get_session_auth_hash()
        session.create()
        self._headers = {"Cookie": f"{settings.SESSION_COOKIE_NAME}={session.session_key}"}
        self._host = urlsplit(url).netloc

    def first_byte_ms(self, address: str) -> float:
        connection = http.client.HTTPConnection(self._host, timeout=60)
        began = time.perf_counter()
        connection.request("GET", address, headers=self._headers)
        response = connection.getresponse()
        took = (time.perf_counter() - began) * 1000
        connection.close()
        if response.status != 200:
            raise RuntimeError(f"{address}: {response.status} {response.headers.get('Location', '')}")
        return took
