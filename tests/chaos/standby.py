"""PostgreSQL with a standby that has whatever was committed, behind an address that follows the primary."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import psycopg
from django.db import connections

from config.runner import postgres
from tests.chaos.proxy import Proxy
from tests.chaos.scene import reconnect
from tests.chaos.victims import Victim
from tests.chaos.world import World, wait_for

WRITES = "-c default_transaction_read_only=off"


class Pair:
    """The world's PostgreSQL is the primary at first. `url` is the address that processes are given."""

    def __init__(self, world: World) -> None:
        self.primary = world.postgres
        self._folder, first = world.folder / "standby", world.folder / "postgres"
        self._replication, self._address = (
            Proxy(name, str(first / postgres.SOCKET)) for name in ("replication", "database")
        )
        for proxy in (self._replication, self._address):
            proxy.start()
        self.url = f"postgresql://postgres@127.0.0.1:{self._address.port}/postgres"
        self._copy()
        service = postgres.service(self._folder)
        self.standby = Victim(
            "standby",
            service.program,
            world.folder / "standby.log",
            is_ready=service.is_ready,
            whole_tree=True,
        )
        self.standby.start()
        self.standby.wait_until_ready()
        _execute(first, "ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
        is_synchronous = "SELECT FROM pg_stat_replication WHERE sync_state = 'sync'"
        wait_for(lambda: _execute(first, is_synchronous), within_s=20, what="the standby is synchronous")
        self._use_here()

    def lose_primary(self) -> None:
        self.primary.kill()
        self._address.switch(None)

    def switch_to_standby(self) -> None:
        """The address names the standby, which can only be read."""
        self._address.switch(str(self._folder / postgres.SOCKET))

    def promote(self) -> None:
        _execute(self._folder, "SELECT pg_promote()")

    def refuse_writes(self, *, refused: bool) -> None:
        """Makes the promoted standby read-only, for sessions that are open as well, or writable again."""
        value = "on" if refused else "off"
        _execute(
            self._folder,
            f"ALTER SYSTEM SET default_transaction_read_only = {value}",
            "SELECT pg_reload_conf()",
        )

    def close(self) -> None:
        self.standby.stop(timeout_s=10)
        for proxy in (self._replication, self._address):
            proxy.close()

    def _copy(self) -> None:
        source = f"host=127.0.0.1 port={self._replication.port} user=postgres"
        program = postgres._binaries() / "pg_basebackup"
        options = ["--write-recovery-conf", "--checkpoint", "fast", "--dbname", source]
        subprocess.run(
            [str(program), "--pgdata", str(self._folder), *options],
            check=True,
            timeout=60,
            stderr=subprocess.DEVNULL,
        )
        # The primary's socket is in its folder, and the lock of that is copied along.
        (self._folder / f"{postgres.SOCKET}.lock").unlink(missing_ok=True)
        if os.geteuid() == 0:
            for path in (self._folder, *self._folder.rglob("*")):
                shutil.chown(path, postgres.USER_FOR_ROOT)

    def _use_here(self) -> None:
        """Has this process, too, reach the database by the address."""
        options: dict[str, Any] = connections["default"].settings_dict["OPTIONS"]
        options |= {"host": "127.0.0.1", "port": str(self._address.port)}
        reconnect()


def _execute(folder: Path, *statements: str) -> list[Any]:
    """Returns the rows of the last statement."""
    server = {"host": str(folder), "user": "postgres", "dbname": "postgres", "options": WRITES}
    with psycopg.connect(**server, autocommit=True) as session:
        done = [session.execute(statement.encode()) for statement in statements]
        return done[-1].fetchall()
