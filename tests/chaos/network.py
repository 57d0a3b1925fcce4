"""Hosts made of namespaces: each has its own network, process ids and mounts, and a cable to a bridge."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

PREFIX = "10.213"  # hopefully unused
HERE = f"{PREFIX}.0.1"
SERVICES = ("database", "broker", "llm")
"""Each has an address of its own here, so that a host can lose one of them alone."""
LETTERS = "abcd"


class Host:
    """A machine called `name`, by whose `address` the others know it.

    Tests ask it by `aside`: services here can lose it, without the tests losing it.
    """

    def __init__(self, name: str, number: int, bridge: str) -> None:
        self.name = name
        self.address, self.aside = f"{PREFIX}.0.{number + 1}", f"{PREFIX}.0.{number + 101}"
        self._bridge, self._cable = bridge, f"{name}-c"

    def create(self) -> None:
        """Raises PermissionError."""
        inside = f"{self._cable}i"
        _ip("netns", "add", self.name)
        _ip("link", "add", self._cable, "type", "veth", "peer", "name", inside)
        _ip("link", "set", inside, "netns", self.name)
        _ip("link", "set", self._cable, "master", self._bridge, "up")
        self._inside("link", "set", "lo", "up")
        for address in (self.address, self.aside):  # what it sends has the first one
            self._inside("addr", "add", f"{address}/24", "dev", inside)
        self._inside("link", "set", inside, "up")
        self._inside("route", "add", "default", "via", HERE)

    def destroy(self) -> None:
        for words in (("link", "del", self._cable), ("netns", "del", self.name)):
            with suppress(PermissionError):
                _ip(*words)

    @property
    def command(self) -> list[str]:
        """The prefix of a command that is to run there."""
        return [
            *("ip", "netns", "exec", self.name),
            *("unshare", "--pid", "--fork", "--kill-child", "--mount-proc"),
            *("sh", "-c", '"$@" & wait', "init"),  # some process has to be the first of its namespace
        ]

    @contextmanager
    def without(self, *others: "str | Host") -> Iterator[None]:
        """Drops every packet from it to these services and hosts, without an answer. Theirs arrive."""
        lost = [f"{each.address if isinstance(each, Host) else address_of(each)}/32" for each in others]
        for address in lost:
            self._inside("route", "add", "blackhole", address)
        try:
            yield
        finally:
            for address in lost:
                self._inside("route", "del", "blackhole", address)

    @contextmanager
    def unanswered(self) -> Iterator[None]:
        """Drops every packet from the services to it. What it sends arrives."""
        _ip("route", "add", "blackhole", f"{self.address}/32")
        try:
            yield
        finally:
            _ip("route", "del", "blackhole", f"{self.address}/32")

    @contextmanager
    def cut_off(self, *others: "Host") -> Iterator[None]:
        """Drops every packet from it to the services and to these hosts, and theirs to it."""
        with self.without(*SERVICES, *others), self.unanswered():
            yield

    def _inside(self, *words: str) -> None:
        _ip("-n", self.name, *words)


def address_of(service: str) -> str:
    return f"{PREFIX}.255.{SERVICES.index(service) + 1}"


@contextmanager
def hosts(number: int) -> Iterator[list[Host]]:
    """Creates hosts. Raises PermissionError, with a reason, where that is impossible or not permitted."""
    if sys.platform != "linux" or not all(map(shutil.which, ("ip", "unshare"))):
        raise PermissionError("network namespaces need Linux, ip (iproute2) and unshare (util-linux)")
    bridge = f"mcpc{os.getpid()}"
    made = [Host(f"{bridge}{letter}", index, bridge) for index, letter in enumerate(LETTERS[:number], 1)]
    try:
        _ip("link", "add", bridge, "type", "bridge")
        _ip("addr", "add", f"{HERE}/24", "dev", bridge)
        _ip("link", "set", bridge, "up")
        for service in SERVICES:
            _ip("addr", "add", f"{address_of(service)}/32", "dev", "lo")
        for host in made:
            host.create()
        yield made
    finally:
        for host in made:
            host.destroy()
        removed = [("addr", "del", f"{address_of(each)}/32", "dev", "lo") for each in SERVICES]
        for words in (*removed, ("link", "del", bridge)):
            with suppress(PermissionError):
                _ip(*words)


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise PermissionError(f"ip {' '.join(words)}: {done.stderr.strip()}")
