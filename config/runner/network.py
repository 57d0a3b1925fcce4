"""Ports of this machine."""

import errno
import socket


def free_port() -> int:
    """Returns a loopback port that no process listens on at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def is_free(host: str, port: int) -> bool:
    """Returns whether `port` can be listened on.

    Raises OSError when `host` is no address of this machine, or the user may not listen on the port.
    """
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return False
        raise
    return True


def accepts(port: int) -> bool:
    """Returns whether a process listens on this loopback port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
