"""Ports of this machine that pass the egress filter: servers under test listen on them."""

import os
import socket
from collections.abc import Iterator
from itertools import cycle, islice

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
    """Returns the next port that is free. They are used in turns: two servers rarely get the same.

    Since they were chosen, another process may have got one for a connection of its own.
    """
    return next(port for port in islice(_ports, SPARE) if _is_free(port))


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def _for_ever() -> Iterator[int]:
    yield from cycle(int(entry.rpartition(":")[2]) for entry in os.environ[VARIABLE].split(",")[1:])


_ports = _for_ever()
