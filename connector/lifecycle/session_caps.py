"""How many dedicated sessions a worker may have: each of a local server is a process."""

from collections import Counter
from collections.abc import Callable

from connector.errors import CallFailed
from core.message import Message

MOST_PER_KEY, MOST_PER_SERVER, MOST = 8, 32, 128


class SessionCaps:
    def __init__(self) -> None:
        self._of_keys: Counter[int] = Counter()
        self._of_servers: Counter[int] = Counter()

    def take(self, server_id: int, key_id: int) -> Callable[[], None]:
        """Takes a place; returns how to give it back, once. Raises CallFailed `overloaded`."""
        if self._of_keys[key_id] >= MOST_PER_KEY:
            raise _overloaded(Message("this API key has %(number)s", number=MOST_PER_KEY))
        if self._of_servers[server_id] >= MOST_PER_SERVER:
            raise _overloaded(Message("this server has %(number)s", number=MOST_PER_SERVER))
        if self._of_servers.total() >= MOST:
            raise _overloaded(Message("this worker has %(number)s", number=MOST))
        taken = Counter([key_id]), Counter([server_id])
        self._of_keys += taken[0]
        self._of_servers += taken[1]

        def give_back() -> None:
            self._of_keys -= taken[0]
            self._of_servers -= taken[1]

        return give_back


def _overloaded(held: Message) -> CallFailed:
    message = Message(
        "The server may ask its client back, so each client has a session of its own with it, and %(held)s "
        "already. End one, or try again later.",
        held=held,
    )
    return CallFailed("overloaded", message)
