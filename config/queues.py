"""Settings of Celery that no installation changes: which task goes where, and how the broker is reached."""

from typing import Any
from urllib.parse import quote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from core.sentinel_address import SCHEME, SentinelAddress

_CELERY: dict[str, Any] = {
    "CELERY_TASK_IGNORE_RESULT": True,
    "CELERY_TASK_DEFAULT_QUEUE": "default",
    "CELERY_TASK_SERIALIZER": "json",
    "CELERY_ACCEPT_CONTENT": ["json"],
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
}
_TRANSPORT_OPTIONS: dict[str, Any] = {
    "socket_timeout": 5,
    "socket_connect_timeout": 3,
    "socket_keepalive": True,
    "health_check_interval": 5,
}


def celery(redis_url: str) -> dict[str, Any]:
    """Returns Celery's settings. Raises ImproperlyConfigured."""
    try:
        address = SentinelAddress.parse(redis_url)
        if address is None:
            _require_address(redis_url)
    except ValueError as error:
        raise ImproperlyConfigured(f"REDIS_URL: {error}") from error
    broker, options = (redis_url, {}) if address is None else _behind(address)
    return {
        **_CELERY,
        "CELERY_BROKER_URL": broker,
        "CELERY_BROKER_TRANSPORT_OPTIONS": {**_TRANSPORT_OPTIONS, **options},
    }


def _require_address(url: str) -> None:
    """Raises ValueError, without what may be secret."""
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in {"redis", "rediss"} and (parts.port or True)
    except ValueError:
        is_address = False
    if not is_address:
        raise ValueError("an address of Redis has the form redis://user:password@host:port/0") from None


def _behind(sentinels: SentinelAddress) -> tuple[str, dict[str, Any]]:
    """Returns Kombu's address of a broker behind Sentinel, and its options."""
    user, password = (quote(sentinels.login.get(each, ""), safe="") for each in ("username", "password"))
    login = f"{user}:{password}@" if password else ""
    urls = [
        f"{SCHEME}://{login}{_bracketed(host)}:{port}/{sentinels.database}" for host, port in sentinels.hosts
    ]
    options = {"master_name": sentinels.service, "sentinel_kwargs": sentinels.sentinel_options}
    return ";".join(urls), options


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
