"""Every setting of MCP Connector, read from the environment. Each is described in docs/settings.md."""

from datetime import timedelta
from pathlib import Path

import django_stubs_ext
from corsheaders.defaults import default_headers
from django.core.exceptions import ImproperlyConfigured

from config import logins, queues
from config.console import CONTENT_SECURITY_POLICY, UNFOLD
from config.environment import Environment
from config.log_settings import logging_at
from config.rest_settings import REST_FRAMEWORK, SPECTACULAR_SETTINGS
from config.schedule import schedule
from core.bounded_connection import BoundedConnection

__all__ = ["CONTENT_SECURITY_POLICY", "REST_FRAMEWORK", "SPECTACULAR_SETTINGS", "UNFOLD"]

django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent

env = Environment()
env.read_env(BASE_DIR / ".env")
DATA_DIR = Path(env.str("DATA_DIR", default=str(BASE_DIR / ".data"))).absolute()
# `manage.py up` writes it: generated secrets, addresses of embedded services. The environment wins over it.
env.read_env(DATA_DIR / "runtime.env")

# --- secrets -----------------------------------------------------------------------------------------------
SECRET_KEY = env.str("SECRET_KEY")
SECRET_ENCRYPTION_KEYS = env.list("SECRET_ENCRYPTION_KEYS")
ALLOW_UNREADABLE_SECRETS = env.bool("ALLOW_UNREADABLE_SECRETS", default=False)

# --- where things are --------------------------------------------------------------------------------------
MAX_DB_CONNECTIONS = env.int("MAX_DB_CONNECTIONS", default=20)
DATABASE_TIMEOUT_S = env.float("DATABASE_TIMEOUT_S", default=30)
DATABASES = {"default": env.db("DATABASE_URL")}
DATABASE_DIRECT = env.db("DATABASE_DIRECT_URL", default=env.str("DATABASE_URL"))  # past a pooler
DATABASES["default"]["DISABLE_SERVER_SIDE_CURSORS"] = bool(env.str("DATABASE_DIRECT_URL", default=""))
_options = DATABASES["default"].setdefault("OPTIONS", {})
_options.update(
    {
        "pool": {
            "connection_class": BoundedConnection,
            "min_size": 0,
            "max_size": MAX_DB_CONNECTIONS,
            "timeout": 4,
            "reconnect_timeout": 4,  # else each attempt waits twice as long, up to minutes after an outage
            "max_idle": 60,
        },
        "connect_timeout": 5,
        "tcp_user_timeout": 5_000,  # ms. TCP itself would give up a server that vanished after 15 minutes
        "options": f"{_options.get('options', '')} -c statement_timeout={DATABASE_TIMEOUT_S}s".strip(),
    }
)
REDIS_URL = env.str("REDIS_URL")

# --- web ---------------------------------------------------------------------------------------------------
DEBUG = False
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
PUBLIC_URL = env.str("PUBLIC_URL", default="").rstrip("/")  # "": the address of each request
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
CORS_ALLOWED_ORIGINS = env.list("CORS_ORIGINS", default=["http://localhost:3000"])
CORS_ALLOW_CREDENTIALS = True
# Everything but the console: a wrong address, too, is told to a page only if it may read the answer.
CORS_URLS_REGEX = r"^/(?!admin(/|$))"
CORS_ALLOW_HEADERS = [*default_headers, "if-match", "idempotency-key", "x-session-id"]  # see config/cors.py
CORS_EXPOSE_HEADERS = [
    "allow",
    "etag",
    "idempotent-replayed",
    "link",
    "retry-after",
    "www-authenticate",
    "x-request-id",
    "x-search-degraded",
    "x-search-embedder",
    "x-should-retry",
    "x-total-count",
    *(f"x-ratelimit-{part}-requests" for part in ("limit", "remaining", "reset")),
    *(f"x-ratelimit-{part}-tokens" for part in ("limit", "remaining", "reset")),
]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = env.bool("SECURE_COOKIES", default=False)
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
PLAYGROUND_REQUESTS_PER_MINUTE = env.int("PLAYGROUND_REQUESTS_PER_MINUTE", default=20)  # of a user
PLAYGROUND_CONCURRENT_REQUESTS = env.int("PLAYGROUND_CONCURRENT_REQUESTS", default=2)
RATE_LIMIT_FAILS_OPEN = env.bool("RATE_LIMIT_FAILS_OPEN", default=True)
MCP_BODY_LIMIT = env.int("MCP_BODY_LIMIT", default=4 * 1024 * 1024)
CHAT_BODY_LIMIT = env.int("CHAT_BODY_LIMIT", default=10 * 1024 * 1024)
DATA_UPLOAD_MAX_MEMORY_SIZE = env.int("API_BODY_LIMIT", default=1024 * 1024)
FILE_UPLOAD_MAX_MEMORY_SIZE = CHAT_BODY_LIMIT  # no body is written to a disk, in the event loop
# The proxy that ends TLS redirects to it, and has browsers remember it.
SILENCED_SYSTEM_CHECKS = ["security.W004", "security.W008"]
APPEND_SLASH = False
SHUTDOWN_DELAY_S = env.float("SHUTDOWN_DELAY_S", default=0)
WEB_DRAIN_S = env.float("WEB_DRAIN_S", default=10)
WEB_CONCURRENCY = env.int("WEB_CONCURRENCY", default=1)
if WEB_CONCURRENCY < 1:
    raise ImproperlyConfigured("WEB_CONCURRENCY must be at least 1.")

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "config.apps.ConsoleConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "csp",
    "corsheaders",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "rest_framework",
    "apikeys",
    "tools",
    "connector",
    "assistants",
    "config",
    "axes",
]
# For the console and the management API. Endpoints have CORS alone: config/asgi_handler.py.
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "config.cors.CorsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "config.console_language.ConsoleLanguage",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "config.content_security.ContentSecurityPolicy",
    "axes.middleware.AxesMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "libraries": {"console": "core.admin.tags"},
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]
LOGIN_REDIRECT_URL = "/admin/"
AXES_FAILURE_LIMIT = env.int("LOGIN_FAILURE_LIMIT", default=5)
AXES_COOLOFF_TIME = timedelta(seconds=env.int("LOGIN_LOCK_S", default=900))
if AXES_FAILURE_LIMIT < 1 or not timedelta() < AXES_COOLOFF_TIME <= timedelta(days=365):
    raise ImproperlyConfigured("LOGIN_FAILURE_LIMIT must be at least 1, LOGIN_LOCK_S from 1 to 31536000.")
globals().update(logins.LOGINS)
STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
LOCALE_PATHS = [BASE_DIR / "config" / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True

# --- the MCP endpoint --------------------------------------------------------------------------------------
MCP_SESSION_S = env.float("MCP_SESSION_S", default=24 * 3600)
MCP_INPUT_TIMEOUT_S = env.float("MCP_INPUT_TIMEOUT_S", default=600)  # for a person to answer a server
MCP_AUTHORIZATION_SERVERS = env.list("MCP_AUTHORIZATION_SERVERS", default=[])  # see docs/settings.md
MCP_CONTEXT_TOKENS = env.int("MCP_CONTEXT_TOKENS", default=200_000)
MCP_TOOLS_SHARE = env.float("MCP_TOOLS_SHARE", default=0.2)  # of that; more is searched, not listed

# --- the LLM -----------------------------------------------------------------------------------------------
OPENAI_API_KEY = env.str("OPENAI_API_KEY", default="")
OPENAI_BASE_URL = env.str("OPENAI_BASE_URL", default="https://api.openai.com/v1").rstrip("/")
if not OPENAI_BASE_URL.startswith(("http://", "https://")):
    raise ImproperlyConfigured("OPENAI_BASE_URL must begin with http:// or https://.")
OPENAI_MODEL = env.str("OPENAI_MODEL", default="gpt-4.1-mini")
OPENAI_FETCH_IMAGES = env.bool("OPENAI_FETCH_IMAGES", default=False)
STRANDS_API_KEY = env.str("STRANDS_API_KEY", default="")  # accepted for the order's sake: the SDK needs none
EMBEDDING_BASE_URL = env.str("EMBEDDING_BASE_URL", default="").rstrip("/")
if EMBEDDING_BASE_URL and not EMBEDDING_BASE_URL.startswith(("http://", "https://")):
    raise ImproperlyConfigured("EMBEDDING_BASE_URL must begin with http:// or https://.")
EMBEDDING_API_KEY = env.str("EMBEDDING_API_KEY", default="")
EMBEDDING_MODEL = env.str("EMBEDDING_MODEL", default="")
ROUTING_THRESHOLD = env.float("ROUTING_THRESHOLD", default=0.22)
LLM_CONNECT_TIMEOUT_S = env.float("LLM_CONNECT_TIMEOUT_S", default=5)
LLM_READ_TIMEOUT_S = env.float("LLM_READ_TIMEOUT_S", default=60)
RUN_DEADLINE_S = env.float("RUN_DEADLINE_S", default=540)  # below the SDKs' own 600 s
STREAM_HEARTBEAT_S = env.float("STREAM_HEARTBEAT_S", default=15)
SERVER_WAIT_S = env.float("SERVER_WAIT_S", default=5)
RESPONSE_TTL_S = env.float("RESPONSE_TTL_S", default=30 * 24 * 3600)
STORED_HISTORY_TOKENS = env.int("STORED_HISTORY_TOKENS", default=32_000)
STORED_HISTORY_DAYS = env.int("STORED_HISTORY_DAYS", default=30)
RUN_RETENTION_DAYS = env.int("RUN_RETENTION_DAYS", default=365)  # 0: for ever
BODY_RETENTION_DAYS = env.int("BODY_RETENTION_DAYS", default=0)  # 0: as long as their runs
APPROVAL_RETENTION_DAYS = env.int("APPROVAL_RETENTION_DAYS", default=RUN_RETENTION_DAYS)
AUDIT_RETENTION_DAYS = env.int("AUDIT_RETENTION_DAYS", default=3 * 365)
WEBHOOK_RETENTION_DAYS = env.int("WEBHOOK_RETENTION_DAYS", default=30)
for _name in ("RUN", "BODY", "APPROVAL", "AUDIT", "WEBHOOK"):
    if not 0 <= globals()[f"{_name}_RETENTION_DAYS"] <= 36_500:
        raise ImproperlyConfigured(f"{_name}_RETENTION_DAYS must be from 0 to 36500.")
APPROVAL_HOLD_S = env.float("APPROVAL_HOLD_S", default=60)
APPROVAL_DUE_H = env.float("APPROVAL_DUE_H", default=24)
APPROVAL_RESULT_DAYS = env.float("APPROVAL_RESULT_DAYS", default=7)
TOOL_FILTER_URL = env.str("TOOL_FILTER_URL", default="")
TOOL_FILTER_TOKEN = env.str("TOOL_FILTER_TOKEN", default="")
TOOL_FILTER_TIMEOUT_S = env.float("TOOL_FILTER_TIMEOUT_S", default=2)
TOOL_FILTER_FAILS = env.str("TOOL_FILTER_FAILS", default="closed")
if TOOL_FILTER_FAILS not in {"closed", "open"}:
    raise ImproperlyConfigured("TOOL_FILTER_FAILS must be closed or open.")
TOOL_RESULT_LIMIT = env.int("TOOL_RESULT_LIMIT", default=64 * 1024)  # bytes of text that reach the model

# --- supervision: seconds, from the table in docs/operating.md ----------------------------------------------
SUPERVISOR_LEASE_S = env.float("SUPERVISOR_LEASE_S", default=15)
SUPERVISOR_HEARTBEAT_S = env.float("SUPERVISOR_HEARTBEAT_S", default=5)
SUPERVISOR_POLL_S = env.float("SUPERVISOR_POLL_S", default=1)
SUPERVISOR_HEALTH_S = env.float("SUPERVISOR_HEALTH_S", default=30)
SUPERVISOR_DRAIN_S = env.float("SUPERVISOR_DRAIN_S", default=8)
SUPERVISOR_STALL_S = env.float("SUPERVISOR_STALL_S", default=10)
SUPERVISOR_ECHO_S = env.float("SUPERVISOR_ECHO_S", default=30)
CONNECTOR_HOST_BIND = env.str("CONNECTOR_HOST_BIND", default="")  # host:port for callers on other machines
MCP_ALLOWED_COMMANDS = env.list(
    "MCP_ALLOWED_COMMANDS", default=["uvx", "npx", "python", "python3", "node", "mcp-server-time"]
)
MCP_PASS_ENVIRONMENT = env.list("MCP_PASS_ENVIRONMENT", default=[])  # for all local servers
MCP_ALLOW_PACKAGE_INDEXES = env.bool("MCP_ALLOW_PACKAGE_INDEXES", default=False)
ALLOWED_PRIVATE_HOSTS = env.list("ALLOWED_PRIVATE_HOSTS", default=[])  # host:port
IMAGE_PRIVATE_HOSTS = env.list("IMAGE_PRIVATE_HOSTS", default=[])  # host:port
MCP_RUN_AS = env.str("MCP_RUN_AS", default="")  # a user's name
MCP_MEMORY_LIMIT = env.int("MCP_MEMORY_LIMIT", default=2048)  # MiB of a server's whole tree; 0: none
MCP_INSTALL_TIMEOUT = env.int("MCP_INSTALL_TIMEOUT", default=300)  # seconds, for npx, uvx and their like
MCP_PROCESS_LIMIT = env.int("MCP_PROCESS_LIMIT", default=256)
MCP_OPEN_FILES_LIMIT = env.int("MCP_OPEN_FILES_LIMIT", default=4096)
MCP_CALL_CEILING_S = env.float("MCP_CALL_CEILING_S", default=3600)  # of a call that reports progress
MCP_RESULT_LIMIT = env.int("MCP_RESULT_LIMIT", default=16 * 1024 * 1024)

globals().update(queues.celery(REDIS_URL))
CELERY_BEAT_SCHEDULE = schedule(health_s=SUPERVISOR_HEALTH_S)

# --- metrics, traces, logs ---------------------------------------------------------------------------------
METRICS = env.bool("METRICS", default=True)
METRICS_DIR = env.str("METRICS_DIR", default=str(DATA_DIR / "metrics"))  # one for all processes of a host
METRICS_BIND = env.str("METRICS_BIND", default="")  # host:port of a worker; "": web processes alone answer
_, _colon, _port = METRICS_BIND.rpartition(":")
if METRICS_BIND and not (_colon and _port.isdecimal() and int(_port) < 65_536):
    raise ImproperlyConfigured("METRICS_BIND must be an address and a port, such as 0.0.0.0:9100.")
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")
OTEL_EXPORTER_OTLP_ENDPOINT = env.str("OTEL_EXPORTER_OTLP_ENDPOINT", default="")  # "": no traces
OTEL_EXPORTER_OTLP_HEADERS = env.str("OTEL_EXPORTER_OTLP_HEADERS", default="")
LOG_LEVEL = env.str("LOG_LEVEL", default="INFO").upper()
LOG_FORMAT = env.str("LOG_FORMAT", default="text")
LOGGING = logging_at(LOG_LEVEL, form=LOG_FORMAT)
