"""Hosts made of namespaces: each has its own network, process ids and mounts, and a cable to this host."""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socket import AF_UNIX, SHUT_WR, create_connection, create_server, socket

PREFIX = "10.213"  # hopefully unused: 10.213.<host>.0/24
SERVICES = ("database", "broker")
"""Each has an address of its own here, so that a host can lose one of them alone."""


class Host:
    """A machine called `name`; `address` is where this one reaches it."""

    def __init__(self, name: str, number: int) -> None:
        self.name = name
        self.address = f"{PREFIX}.{number}.2"
        self._here = f"{PREFIX}.{number}.1"
        self._cable = f"{name}-c"

    def create(self) -> None:
        """Raises PermissionError."""
        inside = f"{self._cable}i"
        _ip("netns", "add", self.name)
        _ip("link", "add", self._cable, "type", "veth", "peer", "name", inside)
        _ip("link", "set", inside, "netns", self.name)
        _ip("addr", "add", f"{self._here}/24", "dev", self._cable)
        _ip("link", "set", self._cable, "up")
        self._inside("link", "set", "lo", "up")
        self._inside("addr", "add", f"{self.address}/24", "dev", inside)
        self._inside("link", "set", inside, "up")
        self._inside("route", "add", "default", "via", self._here)

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

    def lose(self, *services: str) -> None:
        """Drops every packet to these services, without an answer."""
        for address in map(address_of, services):
            self._inside("route", "add", "blackhole", f"{address}/32")

    def find(self, *services: str) -> None:
        for address in map(address_of, services):
            self._inside("route", "del", "blackhole", f"{address}/32")

    def lose_everything(self) -> None:
        self.lose(*SERVICES)
        self._inside("route", "add", "blackhole", f"{self._here}/32")

    def find_everything(self) -> None:
        self.find(*SERVICES)
        self._inside("route", "del", "blackhole", f"{self._here}/32")

    def _inside(self, *words: str) -> None:
        _ip("-n", self.name, *words)


def address_of(service: str) -> str:
    return f"{PREFIX}.255.{SERVICES.index(service) + 1}"


@contextmanager
def hosts(number: int) -> Iterator[list[Host]]:
    """Creates hosts. Raises PermissionError, with a reason, where that is impossible or not permitted."""
    if sys.platform != "linux" or not all(map(shutil.which, ("ip", "unshare"))):
        raise PermissionError("network namespaces need Linux, ip (iproute2) and unshare (util-linux)")
    made = [Host(f"mcpc{os.getpid()}{letter}", index) for index, letter in enumerate("abcd"[:number], 1)]
    try:
        for service in SERVICES:
            _ip("addr", "add", f"{address_of(service)}/32", "dev", "lo")
        for host in made:
            host.create()
        yield made
    finally:
        for host in made:
            host.destroy()
        for service in SERVICES:
            with suppress(PermissionError):
                _ip("addr", "del", f"{address_of(service)}/32", "dev", "lo")


class Forwarder(threading.Thread):
    """Listens on a service's address, at `port`, and forwards to where the service really is."""

    def __init__(self, service: str, target: str | int) -> None:
        super().__init__(name=f"forwarder-{service}", daemon=True)
        self._target = target
        self._listener = create_server((address_of(service), 0))
        self.port = self._listener.getsockname()[1]

    def run(self) -> None:
        with suppress(OSError):
            while True:
                theirs, _ = self._listener.accept()
                ours = self._connect()
                for source, sink in ((theirs, ours), (ours, theirs)):
                    threading.Thread(target=_copy, args=[source, sink], daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _connect(self) -> socket:
        """`target`: the path of a unix socket, or a loopback port."""
        if isinstance(self._target, int):
            return create_connection(("127.0.0.1", self._target))
        connected = socket(AF_UNIX)
        connected.connect(self._target)
        return connected


def _copy(source: socket, sink: socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(SHUT_WR)


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise PermissionError(f"ip {' '.join(words)}: {done.stderr.strip()}")
