"""Ports of this machine that pass the egress filter: servers under test listen on them."""

import os
import socket
from collections.abc import Iterator
from itertools import cycle, islice

SPARE = 24
FIRST = 10_000
VARIABLE = "ALLOWED_PRIVATE_HOSTS"


def reserve() -> str:
    """Returns the value of the setting: ports of this process, and port 9 (discard), where nothing listens.

    They lie below those that a system gives to who asks for any (from 32,768 on by Linux, from 49,152 on by
    RFC 6335): what the filter must keep from tests may listen on any, and never gets one of these by chance.
    """
    first = FIRST + os.getpid() % 900 * SPARE
    ports = [9, *filter(_is_free, range(first, first + SPARE))]
    return ",".join(f"127.0.0.1:{port}" for port in ports)


def listed_port() -> int:
    """Returns the next port that is free. They are used in turns: two servers rarely get the same."""
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
