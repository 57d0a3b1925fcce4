"""A TCP proxy whose target can be another: the address that follows a database which fails over."""

import threading
from contextlib import suppress
from socket import AF_UNIX, SHUT_RDWR, SHUT_WR, create_connection, create_server, socket

Target = str | int
"""The path of a unix socket, or a loopback port."""


class Proxy(threading.Thread):
    """Listens at `port` of `address` and forwards to `target`; with None it ends every connection at once."""

    def __init__(self, name: str, target: Target | None, *, address: str = "127.0.0.1") -> None:
        super().__init__(name=f"proxy-{name}", daemon=True)
        self._target = target
        self._open: set[socket] = set()
        self._listener = create_server((address, 0))
        self.port = self._listener.getsockname()[1]

    def run(self) -> None:
        with suppress(OSError):  # the listener is closed
            while True:
                theirs, _ = self._listener.accept()
                threading.Thread(target=self._forward, args=[theirs], daemon=True).start()

    def switch(self, target: Target | None) -> None:
        """Ends all connections: whoever connects anew reaches `target`."""
        self._target = target
        for each in list(self._open):
            with suppress(OSError):
                each.shutdown(SHUT_RDWR)

    def close(self) -> None:
        self._listener.close()

    def _forward(self, theirs: socket) -> None:
        with suppress(OSError), theirs, self._connected() as ours:
            self._open |= {theirs, ours}
            try:
                answers = threading.Thread(target=_copy, args=[ours, theirs], daemon=True)
                answers.start()
                _copy(theirs, ours)
                answers.join()
            finally:
                self._open -= {theirs, ours}

    def _connected(self) -> socket:
        target = self._target
        if target is None:
            raise ConnectionRefusedError
        if isinstance(target, int):
            return create_connection(("127.0.0.1", target))
        connected = socket(AF_UNIX)
        connected.connect(target)
        return connected


def _copy(source: socket, sink: socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(SHUT_WR)
