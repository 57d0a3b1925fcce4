"""A balancer in the test's own process: it asks `/ready`, and sends each request to the next that is."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

PROBED_EVERY_S = 0.25


class Balancer:
    """Keeps connections to web processes open, as balancers do, and closes those that are told to `close`."""

    def __init__(self, key: str) -> None:
        self._headers = {"authorization": f"Bearer {key}"}
        self._backends: dict[str, httpx.Client] = {}
        self._ready: list[str] = []
        self._turn = 0
        self._ended = threading.Event()
        self._probing = threading.Thread(target=self._probe)

    def add(self, url: str) -> None:
        if url not in self._backends:
            self._backends[url] = httpx.Client(base_url=url, headers=self._headers, timeout=60)

    def ready(self) -> set[str]:
        return set(self._ready)

    def next(self) -> httpx.Client:
        """Returns the connections to the web process whose turn it is."""
        self._turn += 1
        ready = self._ready
        return self._backends[ready[self._turn % len(ready)]]

    @contextmanager
    def probing(self) -> Iterator[None]:
        self._probing.start()
        try:
            yield
        finally:
            self._ended.set()
            self._probing.join()
            for client in self._backends.values():
                client.close()

    def _probe(self) -> None:
        while not self._ended.wait(PROBED_EVERY_S):
            self._ready = [url for url in list(self._backends) if self._is_ready(url)]

    @staticmethod
    def _is_ready(url: str) -> bool:
        try:
            return httpx.get(f"{url}/ready", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False
