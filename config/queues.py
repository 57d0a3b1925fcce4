"""Settings of Celery that no installation changes: which task goes where, and how the broker is reached."""

from typing import Any

CELERY: dict[str, Any] = {
    "CELERY_TASK_IGNORE_RESULT": True,
    "CELERY_TASK_DEFAULT_QUEUE": "default",
    "CELERY_TASK_SERIALIZER": "json",
    "CELERY_ACCEPT_CONTENT": ["json"],
    "CELERY_WORKER_HIJACK_ROOT_LOGGER": False,
    "CELERY_WORKER_CONSUMER": "config.consumer:QuietConsumer",
    "CELERY_BEAT_SCHEDULER": "config.scheduler:Scheduler",
    "CELERY_WORKER_PREFETCH_MULTIPLIER": 1,
    "CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP": True,
    "CELERY_TASK_ROUTES": {
        "connector.tasks.check": {"queue": "default"},  # it also reports that there is no worker for `mcp`
        "connector.tasks.tidy": {"queue": "default"},
        "connector.tasks.announce_outages": {"queue": "default"},
        "connector.tasks.*": {"queue": "mcp"},
    },
    "CELERY_BROKER_TRANSPORT_OPTIONS": {
        "socket_timeout": 5,
        "socket_connect_timeout": 3,
        "socket_keepalive": True,
        "health_check_interval": 5,
    },
}
