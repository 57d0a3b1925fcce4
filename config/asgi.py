"""What uvicorn loads: `config.asgi:application`, and `config.asgi:Protocol` as its `--http`."""

import gc
import os
import signal
import threading

import django
from django.utils.module_loading import import_string

from config.environment import load_settings
from core.garbage import collect_seldom


def end_cleanly() -> None:
    """Has the process end with status 0 after a SIGTERM.

    uvicorn restores this handler when it has shut down, and raises the signal anew: by default it would
    then end the process as if it had been killed. os._exit, because a thread that waits for a frozen
    database would hold the process up. A handler that is there already is uvicorn's own, in one of several
    `--workers`.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if is_main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(os.EX_OK))


end_cleanly()
gc.disable()  # of what is loaded nothing becomes garbage: collections would take a third of the time
load_settings()
django.setup()

# By name: these import models, which can be imported only once Django is set up.
application = import_string("config.application.create_application")()
Protocol = import_string("config.http_protocol.Protocol")

# Now, or the first request would import all views.
import_string("django.urls.get_resolver")().url_patterns  # noqa: B018
collect_seldom()
