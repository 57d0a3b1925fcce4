"""Redis with a replica and three sentinels, which make the replica the primary when that is lost."""

from pathlib import Path
from urllib.parse import urlsplit

from redis import Redis, RedisError

from config.runner import redis
from config.runner.network import free_port
from config.runner.processes import Program
from tests.chaos.victims import Victim
from tests.chaos.world import World, wait_for

SERVICE = "connector"
SENTINELS = 3
DOWN_AFTER_MS = 1000
REPLICA = """\
bind 127.0.0.1
port {port}
requirepass {password}
masterauth {password}
replicaof 127.0.0.1 {primary}
dir "{folder}"
save ""
"""
SENTINEL = """\
bind 127.0.0.1
port {port}
requirepass {own_password}
dir "{folder}"
sentinel monitor {service} 127.0.0.1 {primary} 2
sentinel auth-pass {service} {password}
sentinel down-after-milliseconds {service} {down_after_ms}
sentinel failover-timeout {service} 5000
"""


class Redundant:
    """The world's Redis is the primary at first. `url` is the REDIS_URL that names the sentinels."""

    def __init__(self, world: World, primary_url: str) -> None:
        self.primary = world.redis
        parts = urlsplit(primary_url)
        self._folder, self._password, self._first = world.folder, parts.password or "", parts.port or 0
        self._sentinel_password = "of-the-sentinels"
        with self._client(self._first) as client:
            client.config_set("masterauth", self._password)
        self.second = free_port()
        self.replica = self._start("replica", REPLICA, self.second)
        ports = [free_port() for _ in range(SENTINELS)]
        self.sentinels = [
            self._start(f"sentinel{number}", SENTINEL, port, "--sentinel")
            for number, port in enumerate(ports)
        ]
        hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
        self.url = (
            f"sentinel://:{self._password}@{hosts}/{SERVICE}/0?sentinel_password={self._sentinel_password}"
        )
        self._ports = ports
        wait_for(self._is_whole, within_s=30, what="the sentinels know each other and the replica")

    def role(self, port: int) -> str:
        """Returns `master`, `slave`, or "" where nothing answers."""
        try:
            with self._client(port) as client:
                return str(client.info("replication")["role"])
        except RedisError:
            return ""

    def return_first(self) -> None:
        """Starts the old primary, which believes that it still is one: the sentinels make it a replica."""
        self.primary.start()
        self.primary.wait_until_ready()
        with self._client(self._first) as client:
            client.config_set("masterauth", self._password)
        wait_for(lambda: self.role(self._first) == "slave", within_s=30, what="the old primary is a replica")

    def close(self) -> None:
        for each in (*self.sentinels, self.replica):
            each.thaw()
            each.stop(timeout_s=5)

    def _start(self, name: str, configuration: str, port: int, *options: str) -> Victim:
        folder = self._folder / name
        folder.mkdir(mode=0o700)
        file = folder / "redis.conf"
        file.write_text(
            configuration.format(
                port=port,
                password=self._password,
                own_password=self._sentinel_password,
                primary=self._first,
                folder=folder,
                service=SERVICE,
                down_after_ms=DOWN_AFTER_MS,
            )
        )
        program = Program(name, [redis._server(), str(file), *options], cwd=folder)
        victim = Victim(name, lambda: program, Path(self._folder / f"{name}.log"))
        victim.start()
        return victim

    def _is_whole(self) -> bool:
        return all(self._knows_everybody(port) for port in self._ports)

    def _knows_everybody(self, port: int) -> bool:
        try:
            with Redis(port=port, password=self._sentinel_password) as client:
                known = client.sentinel_master(SERVICE)
        except RedisError:
            return False
        return (known["num-slaves"], known["num-other-sentinels"]) == (1, SENTINELS - 1)

    def _client(self, port: int) -> Redis:
        return Redis(port=port, password=self._password, socket_timeout=2)
