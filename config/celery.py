"""The Celery application. Workers on the queue `mcp` own MCP servers; the others do the rest."""

from typing import Any

from celery import Celery
from celery.signals import celeryd_init
from django.utils.module_loading import import_string

from config.environment import load_settings

load_settings()

app = Celery("mcp-connector")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@celeryd_init.connect
def give_the_worker_its_supervisor(**_: Any) -> None:
    # By name: it holds models, which can be imported only now that Celery has set Django up.
    import_string("connector.bootstep.install")(app)
