"""PostgreSQL fails over to its standby, and is read-only for a while: nothing has to be started anew."""

import time
from contextlib import ExitStack
from itertools import count

from apikeys import actions as key_actions
from apikeys.models import ApiKey
from config.tasks import last_beat_s
from connector.models import Instance
from tests.chaos.load import Customer, Load, open_shop
from tests.chaos.sampler import Sampler
from tests.chaos.scene import BY, all_run, reconnect, register_one
from tests.chaos.standby import Pair
from tests.chaos.world import World, wait_for

SERVERS = 3
AWAY_S, STANDBY_S = 2.0, 3.0
BACK_WITHIN_S = 30.0
ANSWERS_WITHIN_S = 20.0
READ_ONLY = {"database": "read-only", "status": "degraded"}


def run(world: World, *, seconds: float, seed: int) -> list[str]:
    """Returns what was wrong; `seconds` and `seed` change nothing here."""
    with ExitStack() as ending:
        pair = Pair(world)
        ending.callback(pair.close)
        scene = _Failover(world, pair)
        ending.callback(scene.sampler.kill_everything)
        scene.load.start()
        try:
            scene.fail_over()
            scene.refuse_writes()
        finally:
            scene.load.end()
            scene.sampler.end()
        return scene.wrong()


class _Failover:
    def __init__(self, world: World, pair: Pair) -> None:
        self._world, self._pair = world, pair
        self._failures: list[str] = []
        self._keys = count()
        calls = world.folder / "calls"
        servers = [register_one(world, f"server {number}", log=calls) for number in range(SERVERS)]
        key = open_shop(servers)
        settings = {"DATABASE_URL": pair.url, **world.start_llm()}
        self._url = world.start_web("web", **settings)
        world.start_worker("mcp@failover", **settings)
        world.start_beats(1, **settings)
        self._customer = Customer(self._url, key)
        self._servers = servers
        wait_for(lambda: all_run(servers), within_s=60, what="every server runs at first")
        wait_for(self._is_well, within_s=60, what="everything works at first")
        self.load = Load(self._url, key, "server-0__echo", calls, bound_s=ANSWERS_WITHIN_S)
        self.sampler = Sampler(world.run)
        self.sampler.start()

    def fail_over(self) -> None:
        self._pair.lose_primary()
        time.sleep(AWAY_S)
        self._expect("without a database", self._customer.create_key("nobody"), 503, "database_unavailable")
        self._pair.switch_to_standby()
        wait_for(self._says_read_only, within_s=10, what="/ready says that the standby is read-only")
        self._only_reads("by the standby")
        time.sleep(STANDBY_S)
        self._pair.promote()
        self._recovers("the standby was promoted")

    def refuse_writes(self) -> None:
        """For longer than a lease: servers are stopped, since nobody can renew it, and claimed again."""
        self._pair.refuse_writes(refused=True)
        wait_for(self._says_read_only, within_s=10, what="/ready says that the database is read-only")
        self._only_reads("by a read-only database")
        time.sleep(self._world.lease_s * 1.3)
        self._only_reads("by a database that has long been read-only")
        self._pair.refuse_writes(refused=False)
        self._recovers("writes were allowed again")

    def wrong(self) -> list[str]:
        reconnect()
        wait_for(lambda: not self.load.lost(), within_s=30, what=f"nothing is lost: {self.load.lost()[:9]}")
        print(f"{dict(sorted(self.load.outcomes.items()))}; {self.sampler.samples} samples")
        ended = [each.name for each in (*self._world.workers, *self._world.helpers) if not each.is_alive]
        return [
            *self._failures,
            *self.load.faults,
            *(f"two owners of {overlap}" for overlap in self.sampler.overlaps),
            *(f"orphan: {orphan}" for orphan in self.sampler.orphans),
            *(f"{name} has ended" for name in ended),
        ]

    def _only_reads(self, by: str) -> None:
        self._expect(f"a chat answered {by}", self._customer.chat(), 200, "")
        self._expect(f"a write {by}", self._customer.create_key("nobody"), 503, "database_read_only")

    def _says_read_only(self) -> bool:
        body = self._customer.ready().body or {}
        return READ_ONLY.items() <= body.items()

    def _recovers(self, what: str) -> None:
        began, at = time.monotonic(), time.time()
        parts = {
            "chats and calls": self._is_well,
            "the change feed": self._hears_of_changes,
            "leases": self._leases_hold,
            "beat and its worker": lambda: (last_beat_s() or 0) > at,
        }
        for name, is_back in parts.items():
            left_s = BACK_WITHIN_S - (time.monotonic() - began)
            wait_for(is_back, within_s=max(1.0, left_s), what=f"{name} after {what}")
            print(f"{what}: {name} after {time.monotonic() - began:.1f} s")

    def _is_well(self) -> bool:
        answers = (
            self._customer.ready(),
            self._customer.chat("shop", tool_choice="required"),
            *(
                self._customer.call(f"server-{each}__echo", token=f"well {next(self._keys)}")
                for each in range(SERVERS)
            ),
        )
        is_ok = answers[0].body is not None and answers[0].body["status"] == "ok"
        return is_ok and all(each.status == 200 for each in answers)

    def _hears_of_changes(self) -> bool:
        """Whether the web refuses a key at once that is disabled elsewhere: later proves nothing."""
        reconnect()
        issued = key_actions.issue(by=BY, name=f"heard {next(self._keys)}")
        customer = Customer(self._url, issued.key)
        known = customer.ask("GET", "/v1/models").status == 200
        key_actions.update(ApiKey.objects.get(pk=issued.api_key.pk), by=BY, is_disabled=True)
        time.sleep(0.3)
        return known and customer.ask("GET", "/v1/models").status == 401

    def _leases_hold(self) -> bool:
        return Instance.objects.filter(server__in=self._servers, phase="ready").count() == SERVERS

    def _expect(self, what: str, answer: object, status: int, code: str) -> None:
        found = (getattr(answer, "status", 0), getattr(answer, "code", ""))
        if found != (status, code):
            self._failures.append(f"{what}: {answer}")
