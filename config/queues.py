"""Settings of Celery's queues: which task goes where, and how the broker is reached."""

CELERY_TASK_ROUTES = {
    "connector.tasks.check": {"queue": "default"},  # it also reports that there is no worker for `mcp`
    "connector.tasks.tidy": {"queue": "default"},
    "connector.tasks.announce_outages": {"queue": "default"},
    "connector.tasks.*": {"queue": "mcp"},
}
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_timeout": 5,
    "socket_connect_timeout": 3,
    "socket_keepalive": True,
    "health_check_interval": 5,
}
