"""Measures what open pages of the console cost while nobody does anything: what moves by itself.

Ten pages are open in a real browser, which runs their scripts: once while workers only check the health of
servers, once while the state of a server changes every ten seconds, and it writes on standard error.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count

from django.core.management import call_command
from django.db import connection
from django.db.models.functions import Now

from bench import installation
from bench.figures import Figure, NotMeasured
from bench.people import session_of_a_superuser
from bench.processor_time import of_world_s
from bench.web import start_web
from connector.models import Instance
from tests.chaos.world import World
from tests.console import browser as browsers
from tools.models import MCPTool

PAGES = 10
WATCHED_S = 60.0
SETTLED_AFTER_S = 8.0
MOVES_EVERY_S, CHECKED_EVERY = 10.0, 3
GOAL_PERCENT = 1.0


def measure(world: World) -> list[Figure]:
    """Returns percents of one core, of all processes but the browser, above what they cost without pages."""
    if missing := browsers.missing():
        raise NotMeasured(missing)
    installation.fill(installation.Size(runs=1_000, days=10))
    call_command("collectstatic", interactive=False, verbosity=0)
    url, session = start_web(world).url, session_of_a_superuser()
    newest = list(MCPTool.objects.order_by("-pk").values_list("pk", flat=True)[:PAGES])
    instances = [f"{url}/admin/servers/{pk}/instances/" for pk in newest]
    figures = []
    for moving, what in (([], "all is well"), (newest[:1], "a server changes every 10 s")):
        with _at_work(moving):
            idle = _percent(world)
            figures.append(Figure(f"no page, {what}", [idle], "% of a core"))
            for name, addresses in (
                ("the list of servers", [f"{url}/admin/tools/mcptool/"] * PAGES),
                ("instances of a server", instances),
            ):
                with _opened(url, session, addresses):
                    cost = _percent(world) - idle
                figures.append(Figure(f"{PAGES} times {name}, {what}", [cost], "% of a core", GOAL_PERCENT))
    return figures


@contextmanager
def _opened(url: str, session: str, addresses: Sequence[str]) -> Iterator[None]:
    with browsers.chromium() as browser:
        context = browsers.logged_in(browser, url, session)
        for address in addresses:
            page = context.new_page()
            page.goto(address)
            if page.evaluate("[document.visibilityState, typeof consolePage]") != ["visible", "object"]:
                raise RuntimeError(f"{page.url} does not do what it does before a person")
        yield


def _percent(world: World) -> float:
    time.sleep(SETTLED_AFTER_S)
    began, spent = time.monotonic(), of_world_s(world)
    time.sleep(WATCHED_S)
    return (of_world_s(world) - spent) / (time.monotonic() - began) * 100


@contextmanager
def _at_work(moving: Sequence[int]) -> Iterator[None]:
    """Does to the rows what workers do: checks every server every 30 s, and changes `moving` every 10 s."""
    over = threading.Event()
    thread = threading.Thread(target=_work, args=[moving, over], daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _work(moving: Sequence[int], over: threading.Event) -> None:
    for number in count(1):
        if over.wait(MOVES_EVERY_S):
            break
        status, phase = ("running", "ready") if number % 2 else ("starting", "starting")
        MCPTool.objects.filter(pk__in=moving).update(status=status)
        Instance.objects.filter(server__in=moving).update(phase=phase, stderr_tail=f"line {number}\n" * 50)
        if number % CHECKED_EVERY == 0:
            Instance.objects.update(checked_at=Now())
    connection.close()
