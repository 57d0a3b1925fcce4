"""A web process that is told to end says so to its balancer first, and goes on serving meanwhile.

For SHUTDOWN_DELAY_S after a SIGTERM `/ready` answers 503 `stopping`, and each answer asks its client to use
another connection: without that, what a balancer sends before it notices would be refused. Then uvicorn takes
no more requests. A second SIGTERM, and Ctrl-C, end the delay.
"""

import asyncio
import signal
from types import FrameType

from django.conf import settings
from uvicorn.server import Server

_CLOSE = (b"connection", b"close")
has_begun = False
"""Whether this process has been told to end."""


class DrainingServer(Server):
    """Overrides `handle_exit` of uvicorn 0.54, and adds to its config's `encoded_headers`."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Called by a signal, in the thread of the event loop."""
        global has_begun  # noqa: PLW0603 - one for each process
        if sig != signal.SIGTERM or has_begun or not settings.SHUTDOWN_DELAY_S or not self.started:
            super().handle_exit(sig, frame)
            return
        has_begun = True
        self.config.encoded_headers = [*self.config.encoded_headers, _CLOSE]
        end = super().handle_exit
        # uvicorn looks ten times a second whether it is to end: so soon the loop sees the timer, too.
        asyncio.get_running_loop().call_later(settings.SHUTDOWN_DELAY_S, end, sig, frame)
