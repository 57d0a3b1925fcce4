"""The settings of logs: lines on standard error, each with the id of its request."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured

_LEVELS = {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}


def logging_at(level: str, *, form: str = "text") -> dict[str, Any]:
    """Returns Django's LOGGING for a level of logging. Raises ImproperlyConfigured for an unknown one."""
    if level not in _LEVELS:
        raise ImproperlyConfigured("LOG_LEVEL must be DEBUG, INFO, WARNING or ERROR.")
    if form not in {"text", "json"}:
        raise ImproperlyConfigured("LOG_FORMAT must be text or json.")
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {
            "request_id": {"()": "config.request_ids.RequestIdFilter"},
            "task_values": {"()": "config.task_logs.TaskValuesFilter"},
        },
        "formatters": {
            "text": {"format": "%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s"},
            "json": {"()": "config.json_logs.JSONFormatter"},
        },
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": form,
                "filters": ["request_id", "task_values"],
            }
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": LOGGERS,
    }


LOGGERS = {
    "axes": {"level": "WARNING"},
    "celery": {"level": "WARNING"},
    "django.request": {"level": "ERROR"},
    # Anybody can make these happen, and each would log a traceback.
    "django.security.DisallowedHost": {"level": "CRITICAL"},
    "django.security.TooManyFieldsSent": {"level": "CRITICAL"},
    # These log whole URLs, which may contain secrets.
    "httpx": {"level": "WARNING"},
    "httpx2": {"level": "WARNING"},
    "mcp": {"level": "CRITICAL"},
    "psycopg": {"level": "ERROR"},  # a cancelled statement closes its connection, as it should
    "psycopg.pool": {"level": "WARNING"},
    "uvicorn": {"level": "INFO"},
}
