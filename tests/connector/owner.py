"""A supervisor in a process of its own, for tests that kill it: `python -m tests.connector.owner NODE`."""

import signal
import sys
import threading

import django

django.setup()

from connector.supervisor.supervisor import Supervisor  # noqa: E402
from tests.connector.conftest import FAST  # noqa: E402

if __name__ == "__main__":
    asked_to_end = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: asked_to_end.set())
    supervisor = Supervisor(sys.argv[1], timings=FAST, bind="")
    supervisor.start()
    print("up", flush=True)
    asked_to_end.wait()
    sys.exit(0 if supervisor.stop() else 1)
