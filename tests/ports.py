"""Ports of this machine that pass the egress filter: servers under test listen on them."""

import os
import socket
from collections.abc import Iterator
from itertools import cycle

SPARE = 24
VARIABLE = "ALLOWED_PRIVATE_HOSTS"


def reserve() -> str:
    """Returns the value of the setting: free ports, and port 9 (discard), where nothing listens."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(SPARE)]
    ports = [9, *(each.getsockname()[1] for each in sockets)]
    for each in sockets:
        each.close()
    return ",".join(f"127.0.0.1:{port}" for port in ports)


def listed_port() -> int:
    """Returns the next port. They are used in turns, so that two servers rarely get the same."""
    return next(_ports)


def _for_ever() -> Iterator[int]:
    yield from cycle(int(entry.rpartition(":")[2]) for entry in os.environ[VARIABLE].split(",")[1:])


_ports = _for_ever()
