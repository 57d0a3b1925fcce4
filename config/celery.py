"""The Celery application. Workers on the queue `mcp` own MCP servers; the others do the rest."""

import os
import signal
from typing import Any

import click
from celery import Celery
from celery.signals import celeryd_init
from django.utils.module_loading import import_string

from config.environment import load_settings


def may_end_while_it_starts() -> None:
    """Loading takes a worker seconds, in which it has nothing to drain. Celery's own handlers come after."""
    command = click.get_current_context(silent=True)
    if command is not None and command.invoked_subcommand == "worker":
        signal.signal(signal.SIGTERM, lambda *_: os._exit(os.EX_OK))


may_end_while_it_starts()
load_settings()

app = Celery("mcp-connector")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@celeryd_init.connect
def give_the_worker_its_supervisor(**_: Any) -> None:
    # By name: it holds models, which can be imported only now that Celery has set Django up.
    import_string("connector.supervisor.bootstep.install")(app)
