"""The Celery application. Workers on the queue `mcp` own MCP servers; the others do the rest."""

import gc
import os
import signal
from typing import Any

import click
from celery import Celery
from celery.signals import (
    beat_init,
    celeryd_init,
    setup_logging,
    task_postrun,
    task_prerun,
    task_revoked,
    worker_process_shutdown,
    worker_shutdown,
)
from django.conf import settings
from django.utils.module_loading import import_string

from config import beat_thread, broker_transport
from config.environment import load_settings
from config.safety import require_safe_settings
from core.garbage import collect_seldom


def prepare_worker() -> None:
    """A worker loads without collecting garbage, and ends at SIGTERM with status 0 meanwhile.

    Loading takes seconds, and Celery installs its own handlers only afterwards. Until then Python's default
    would end the worker with status 143: that looks like a failure, although there was nothing to drain.
    Collections would take a third of the time, and find nothing.
    """
    command = click.get_current_context(silent=True)
    if command is not None and command.invoked_subcommand == "worker":
        signal.signal(signal.SIGTERM, lambda *_: os._exit(os.EX_OK))
        gc.disable()


prepare_worker()
load_settings()
# Celery would run Django's checks in every worker, ignore what they find, and with the URLs load all views.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

broker_transport.install()
beat_thread.install()
app = Celery("mcp-connector")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def keep_the_logging_of_django(**_: Any) -> None:
    """Celery would set a level of its own, WARNING, whatever LOG_LEVEL is: with a receiver, it leaves it."""


@celeryd_init.connect
@beat_init.connect
def refuse_unsafe_settings_and_unfit_databases(**_: Any) -> None:
    """Neither a worker nor beat runs with them; a command that only looks does."""
    require_safe_settings()
    # By name: it imports models, which is possible only now that Celery has set Django up.
    import_string("config.fit_database.require_fit_database")()


@celeryd_init.connect
def watch_tasks(**_: Any) -> None:
    # By name: they need the settings, which are loaded above.
    counting = import_string("config.task_metrics.Counting")()
    task_prerun.connect(counting.begin, weak=False)
    task_postrun.connect(counting.end, weak=False)
    task_revoked.connect(import_string("config.task_logs.Lateness")().tell, weak=False)
    # The runner's forks end without what is registered with atexit, and so do those of a prefork pool.
    flush = import_string("core.metrics.pending.flush")
    for ending in (worker_shutdown, worker_process_shutdown):
        ending.connect(lambda **_: flush(), weak=False)


@celeryd_init.connect
def trace_tasks(**_: Any) -> None:
    if settings.OTEL_EXPORTER_OTLP_ENDPOINT:
        import_string("config.task_traces.trace_tasks")()


@celeryd_init.connect
@beat_init.connect
def serve_metrics(**_: Any) -> None:
    import_string("config.metrics_server.start")()


@celeryd_init.connect
def install_the_supervisor(**_: Any) -> None:
    # By name: it imports models, which is possible only now that Celery has set Django up.
    import_string("connector.supervisor.bootstep.install")(app)
    collect_seldom()
