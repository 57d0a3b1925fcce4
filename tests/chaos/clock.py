"""The wall clock of all processes and services jumps an hour ahead, and back: everything goes on."""

import re
import time
from collections import Counter
from datetime import timedelta
from itertools import count

import httpx
from django.db import connection
from django.utils import timezone

from apikeys import actions as key_actions
from assistants import actions
from connector.models import Instance
from tests.chaos.load import Customer, Load, open_shop
from tests.chaos.sampler import Sampler
from tests.chaos.scene import BY, all_run, register_one
from tests.chaos.shifted_clock import shift
from tests.chaos.world import World, wait_for

HOUR = 3600
SERVERS = 3
BACK_WITHIN_S = 30.0
ANSWERS_WITHIN_S = 20.0
FAILED_SHARE = 0.1
"""How many calls may be refused after a jump: leases go by the clock of the database, which jumps, too."""
EVERY_10_S = ("assistants.tasks.respond", "assistants.tasks.send_webhooks")
STORM = 60
ANSWERED = {"chat 200", "call 200", "create 201"}
TASK = re.compile(r'^mcp_connector_tasks_total\{outcome="success",task="([\w.]+)"\} (\S+)$', re.MULTILINE)
LIMIT = 3


def run(world: World, *, seconds: float, seed: int) -> list[str]:
    """Returns what was wrong. Each clock is watched for these seconds; `seed` changes nothing here."""
    scene = _Jumps(world, seconds)
    try:
        scene.load.start()
        for name, shifted_s in (("an hour ahead", HOUR), ("an hour back", 0), ("an hour behind", -HOUR)):
            scene.jump(name, shifted_s)
        return scene.wrong()
    finally:
        shift(0)
        scene.load.end()
        scene.sampler.end()
        scene.sampler.kill_everything()


class _Jumps:
    def __init__(self, world: World, watched_s: float) -> None:
        self._world, self._watched_s, self._tokens = world, watched_s, count()
        self._failures: list[str] = []
        calls = world.folder / "calls"
        self._servers = [register_one(world, f"server {number}", log=calls) for number in range(SERVERS)]
        key = open_shop(self._servers)
        settings = world.start_llm()
        url = world.start_web("web", **settings)
        for name in ("mcp@one", "mcp@two"):
            world.start_worker(name, **settings)
        world.start_beats(1, **settings)
        self._customer = Customer(url, key)
        self._keys = Keys(url)
        self._sessions = McpSessions(url, key)
        wait_for(lambda: all_run(self._servers), within_s=90, what="every server runs at first")
        wait_for(self._is_well, within_s=60, what="everything works at first")
        self._sessions.use()
        self.load = Load(url, key, "server-0__echo", calls, bound_s=ANSWERS_WITHIN_S, assistant="shop")
        self.sampler = Sampler(world.run)
        self.sampler.start()

    def jump(self, name: str, shifted_s: int) -> None:
        before, ran = self.load.outcomes.copy(), self._tasks()
        shift(shifted_s)
        began = time.monotonic()
        self._expect_clocks(shifted_s)
        wait_for(self._is_well, within_s=BACK_WITHIN_S, what=f"everything works with the clock {name}")
        print(f"{name}: everything works after {time.monotonic() - began:.1f} s")
        time.sleep(max(0.0, self._watched_s - (time.monotonic() - began)))
        self._failures += [f"{name}: {each}" for each in self._found(self._tasks() - ran, shifted_s)]
        told = self.load.outcomes - before
        print(f"{name}: {dict(sorted(told.items()))}")
        failed = sum(number for what, number in told.items() if what not in ANSWERED)
        if failed > FAILED_SHARE * told.total():
            self._failures.append(f"{name}: {failed} of {told.total()} failed: {dict(told)}")

    def wrong(self) -> list[str]:
        self.load.end()
        wait_for(lambda: not self.load.lost(), within_s=30, what=f"nothing is lost: {self.load.lost()[:9]}")
        processes = (*self._world.workers, *self._world.helpers)
        return [
            *self._failures,
            *self.load.faults,
            *(f"two owners of {overlap}" for overlap in self.sampler.overlaps),
            *(f"orphan: {orphan}" for orphan in self.sampler.orphans),
            *(f"{each.name} has ended" for each in processes if not each.is_alive),
        ]

    def _found(self, ran: Counter[str], shifted_s: int) -> list[str]:
        """Returns what is wrong some time after a jump, since when these tasks have run."""
        self._sessions.use()
        instances = Instance.objects.filter(server__in=self._servers).values_list("server__name", "phase")
        print(f"periodic tasks: {dict(sorted(ran.items()))}")
        few, many = self._watched_s / 10 - 2, self._watched_s / 10 + 3
        return [
            *(f"{name} is {phase}" for name, phase in instances if phase != "ready"),
            *(f"{task} ran {ran[task]} times" for task in EVERY_10_S if not few <= ran[task] <= many),
            *(f"{task} ran {number} times" for task, number in ran.items() if number > STORM),
            *self._keys.wrong(shifted_s),
        ]

    def _expect_clocks(self, shifted_s: int) -> None:
        """The database's clock, too, or nothing was tested."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            apart = cursor.fetchone()[0] - timezone.now()
        if abs(apart - timedelta(seconds=shifted_s)) > timedelta(seconds=5):
            raise PermissionError(f"The clock of PostgreSQL cannot be shifted here: it is {apart} apart.")

    def _is_well(self) -> bool:
        answers = [
            self._customer.chat("shop", tool_choice="required"),
            *(
                self._customer.call(f"server-{each}__echo", token=f"well {next(self._tokens)}")
                for each in range(SERVERS)
            ),
        ]
        ready = self._customer.ready().body or {}
        return ready.get("status") == "ok" and all(each.status == httpx.codes.OK for each in answers)

    def _tasks(self) -> Counter[str]:
        """Returns how often each task of Celery has run."""
        said = self._customer.get_text("/metrics")
        return Counter({task: int(float(number)) for task, number in TASK.findall(said)})


class Keys:
    """Keys that expire, and one that is limited by the minute."""

    def __init__(self, url: str) -> None:
        soon = timezone.now() + timedelta(seconds=HOUR / 2)
        self._expiring = Customer(url, key_actions.issue(by=BY, name="half an hour", expires_at=soon).key)
        limited = key_actions.issue(by=BY, name="limited", requests_per_minute=LIMIT)
        self._limited = Customer(url, limited.key)
        actions.create(by=BY, name="Limited", slug="limited", tools=[], api_keys=[limited.api_key])

    def wrong(self, shifted_s: int) -> list[str]:
        expected = httpx.codes.UNAUTHORIZED if shifted_s == HOUR else httpx.codes.OK
        wait_for(
            lambda: self._expiring.ask("GET", "/v1/models").status == expected,
            within_s=BACK_WITHIN_S,
            what=f"the key that expires is answered {expected}",
        )
        limited = [self._limited.chat("limited").status for _ in range(2 * LIMIT)]
        if 0 < limited.count(httpx.codes.OK) <= LIMIT + 1:
            return []
        return [f"the limited key: {limited}"]


class McpSessions:
    """Sessions of an MCP client: one is opened at first and one after each jump, and all are used."""

    def __init__(self, url: str, key: str) -> None:
        self._customer = Customer(url, key)
        self._ids: list[str] = []

    def use(self) -> None:
        """Opens one more, and lists tools in all. Raises TimeoutError where that is never possible."""
        wait_for(self._is_opened, within_s=BACK_WITHIN_S, what="a session is opened")
        wait_for(self._are_known, within_s=BACK_WITHIN_S, what=f"all {len(self._ids)} sessions are known")

    def _is_opened(self) -> bool:
        hello = {"protocolVersion": "2025-11-25", "capabilities": {}}
        answer = self._ask("initialize", {**hello, "clientInfo": {"name": "clock", "version": "1"}})
        if answer.status_code == httpx.codes.OK:
            self._ids.append(answer.headers["mcp-session-id"])
        return answer.status_code == httpx.codes.OK

    def _are_known(self) -> bool:
        return all(self._ask("tools/list", {}, each).status_code == httpx.codes.OK for each in self._ids)

    def _ask(self, method: str, params: object, session: str = "") -> httpx.Response:
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        headers = {"accept": "application/json, text/event-stream"}
        if session:
            headers["mcp-session-id"] = session
        return self._customer.post("/mcp/s/server-0", message, headers)
