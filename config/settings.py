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
from config.secret_settings import SECRET_SETTINGS
from core.bounded_connection import BoundedConnection

__all__ = [
    "CONTENT_SECURITY_POLICY",
    "REST_FRAMEWORK",
    "SECRET_SETTINGS",
    "SPECTACULAR_SETTINGS",
    "UNFOLD",
]

django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent

env = Environment()
env.read_file(BASE_DIR / ".env")
DATA_DIR = Path(env.str("DATA_DIR", default=str(BASE_DIR / ".data"))).absolute()
# `manage.py up` writes it: generated secrets, addresses of embedded services. The environment wins over it.
env.complete(DATA_DIR / "runtime.env")

# --- secrets -----------------------------------------------------------------------------------------------
SECRET_KEY = env.str("SECRET_KEY")
SECRET_ENCRYPTION_KEYS = env.listed("SECRET_ENCRYPTION_KEYS")
ALLOW_UNREADABLE_SECRETS = env.flag("ALLOW_UNREADABLE_SECRETS", default=False)

# --- where things are --------------------------------------------------------------------------------------
MAX_DB_CONNECTIONS = env.whole("MAX_DB_CONNECTIONS", default=20, least=1, most=10_000)
DATABASE_TIMEOUT_S = env.number("DATABASE_TIMEOUT_S", default=30, most=2_000_000)
DATABASES = {"default": env.database("DATABASE_URL")}
DATABASE_DIRECT = env.database("DATABASE_DIRECT_URL", default=env.str("DATABASE_URL"))  # past a pooler
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
ALLOWED_HOSTS = env.hosts("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
PUBLIC_URL = env.web_address("PUBLIC_URL", default="").rstrip("/")  # "": the address of each request
CSRF_TRUSTED_ORIGINS = env.origins_of_console("CSRF_TRUSTED_ORIGINS")
CORS_ALLOWED_ORIGINS = env.origins_of_pages("CORS_ORIGINS", default=["http://localhost:3000"])
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
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = env.flag("SECURE_COOKIES", default=False)
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
PLAYGROUND_REQUESTS_PER_MINUTE = env.whole("PLAYGROUND_REQUESTS_PER_MINUTE", default=20)  # of a user
PLAYGROUND_CONCURRENT_REQUESTS = env.whole("PLAYGROUND_CONCURRENT_REQUESTS", default=2)
RATE_LIMIT_FAILS_OPEN = env.flag("RATE_LIMIT_FAILS_OPEN", default=True)
MCP_BODY_LIMIT = env.whole("MCP_BODY_LIMIT", default=4 * 1024 * 1024, least=1)
CHAT_BODY_LIMIT = env.whole("CHAT_BODY_LIMIT", default=10 * 1024 * 1024, least=1)
DATA_UPLOAD_MAX_MEMORY_SIZE = env.whole("API_BODY_LIMIT", default=1024 * 1024, least=1)
FILE_UPLOAD_MAX_MEMORY_SIZE = CHAT_BODY_LIMIT  # no body is written to a disk, in the event loop
# The proxy that ends TLS redirects to it, and has browsers remember it.
SILENCED_SYSTEM_CHECKS = ["security.W004", "security.W008"]
APPEND_SLASH = False
SHUTDOWN_DELAY_S = env.number("SHUTDOWN_DELAY_S", default=0)
WEB_DRAIN_S = env.number("WEB_DRAIN_S", default=10)
WEB_CONCURRENCY = env.whole("WEB_CONCURRENCY", default=1, least=1, most=1_000)

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
AXES_FAILURE_LIMIT = env.whole("LOGIN_FAILURE_LIMIT", default=5, least=1)
AXES_COOLOFF_TIME = timedelta(seconds=env.whole("LOGIN_LOCK_S", default=900, least=1, most=31_536_000))
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
MCP_SESSION_S = env.number("MCP_SESSION_S", default=24 * 3600, least=1)
MCP_INPUT_TIMEOUT_S = env.number("MCP_INPUT_TIMEOUT_S", default=600, least=0.1)  # for a person
MCP_AUTHORIZATION_SERVERS = env.web_addresses("MCP_AUTHORIZATION_SERVERS")  # see docs/settings.md
MCP_CONTEXT_TOKENS = env.whole("MCP_CONTEXT_TOKENS", default=200_000, least=1)
MCP_TOOLS_SHARE = env.number("MCP_TOOLS_SHARE", default=0.2, most=1)  # of that; more is searched, not listed

# --- the LLM -----------------------------------------------------------------------------------------------
OPENAI_API_KEY = env.api_key("OPENAI_API_KEY")
OPENAI_BASE_URL = env.web_address("OPENAI_BASE_URL", default="https://api.openai.com/v1").rstrip("/")
OPENAI_MODEL = env.str("OPENAI_MODEL", default="gpt-4.1-mini")
OPENAI_FETCH_IMAGES = env.flag("OPENAI_FETCH_IMAGES", default=False)
STRANDS_API_KEY = env.str("STRANDS_API_KEY", default="")  # accepted for the order's sake: the SDK needs none
EMBEDDING_BASE_URL = env.web_address("EMBEDDING_BASE_URL", default="").rstrip("/")
EMBEDDING_API_KEY = env.api_key("EMBEDDING_API_KEY")
EMBEDDING_MODEL = env.str("EMBEDDING_MODEL", default="")
ROUTING_THRESHOLD = env.number("ROUTING_THRESHOLD", default=0.22, most=1)
LLM_CONNECT_TIMEOUT_S = env.number("LLM_CONNECT_TIMEOUT_S", default=5, least=0.1)
LLM_READ_TIMEOUT_S = env.number("LLM_READ_TIMEOUT_S", default=60, least=0.1)
RUN_DEADLINE_S = env.number("RUN_DEADLINE_S", default=540, least=1)  # below the SDKs' own 600 s
STREAM_HEARTBEAT_S = env.number("STREAM_HEARTBEAT_S", default=15, least=0.1)
SERVER_WAIT_S = env.number("SERVER_WAIT_S", default=5)
RESPONSE_TTL_S = env.number("RESPONSE_TTL_S", default=30 * 24 * 3600, least=1)
STORED_HISTORY_TOKENS = env.whole("STORED_HISTORY_TOKENS", default=32_000)
STORED_HISTORY_DAYS = env.whole("STORED_HISTORY_DAYS", default=30, most=36_500)
RUN_RETENTION_DAYS = env.whole("RUN_RETENTION_DAYS", default=365, most=36_500)  # 0: for ever
BODY_RETENTION_DAYS = env.whole("BODY_RETENTION_DAYS", default=0, most=36_500)  # 0: as long as their runs
APPROVAL_RETENTION_DAYS = env.whole("APPROVAL_RETENTION_DAYS", default=RUN_RETENTION_DAYS, most=36_500)
AUDIT_RETENTION_DAYS = env.whole("AUDIT_RETENTION_DAYS", default=3 * 365, most=36_500)
WEBHOOK_RETENTION_DAYS = env.whole("WEBHOOK_RETENTION_DAYS", default=30, most=36_500)
APPROVAL_HOLD_S = env.number("APPROVAL_HOLD_S", default=60)
APPROVAL_DUE_H = env.number("APPROVAL_DUE_H", default=24, least=0.01, most=876_000)
APPROVAL_RESULT_DAYS = env.number("APPROVAL_RESULT_DAYS", default=7, most=36_500)
TOOL_FILTER_URL = env.web_address("TOOL_FILTER_URL", default="")
TOOL_FILTER_TOKEN = env.token("TOOL_FILTER_TOKEN")
TOOL_FILTER_TIMEOUT_S = env.number("TOOL_FILTER_TIMEOUT_S", default=2, least=0.1)
TOOL_FILTER_FAILS = env.str("TOOL_FILTER_FAILS", default="closed")
if TOOL_FILTER_FAILS not in {"closed", "open"}:
    raise ImproperlyConfigured("TOOL_FILTER_FAILS must be closed or open.")
TOOL_RESULT_LIMIT = env.whole("TOOL_RESULT_LIMIT", default=64 * 1024, least=1)  # bytes, for the model

# --- supervision: seconds, from the table in docs/operating.md ----------------------------------------------
SUPERVISOR_LEASE_S = env.number("SUPERVISOR_LEASE_S", default=15, least=1, most=3_600)
SUPERVISOR_HEARTBEAT_S = env.number("SUPERVISOR_HEARTBEAT_S", default=5, least=0.1)
if SUPERVISOR_HEARTBEAT_S * 2 > SUPERVISOR_LEASE_S:  # the owner gives up after four fifths of a lease
    raise ImproperlyConfigured("SUPERVISOR_LEASE_S must be twice SUPERVISOR_HEARTBEAT_S at least.")
SUPERVISOR_POLL_S = env.number("SUPERVISOR_POLL_S", default=1, least=0.1)
SUPERVISOR_HEALTH_S = env.number("SUPERVISOR_HEALTH_S", default=30, least=0.1)
SUPERVISOR_DRAIN_S = env.number("SUPERVISOR_DRAIN_S", default=8)
SUPERVISOR_STALL_S = env.number("SUPERVISOR_STALL_S", default=10, least=1)
SUPERVISOR_ECHO_S = env.number("SUPERVISOR_ECHO_S", default=30, least=1)
CONNECTOR_HOST_BIND = env.bind("CONNECTOR_HOST_BIND", example="10.0.0.5:8100")  # for callers elsewhere
MCP_ALLOWED_COMMANDS = env.commands(
    "MCP_ALLOWED_COMMANDS", default=["uvx", "npx", "python", "python3", "node", "mcp-server-time"]
)
MCP_PASS_ENVIRONMENT = env.variables("MCP_PASS_ENVIRONMENT")  # for all local servers
MCP_ALLOW_PACKAGE_INDEXES = env.flag("MCP_ALLOW_PACKAGE_INDEXES", default=False)
ALLOWED_PRIVATE_HOSTS = env.listed("ALLOWED_PRIVATE_HOSTS", default=[])  # host:port
IMAGE_PRIVATE_HOSTS = env.listed("IMAGE_PRIVATE_HOSTS", default=[])  # host:port
MCP_RUN_AS = env.str("MCP_RUN_AS", default="")  # a user's name
MCP_MEMORY_LIMIT = env.whole("MCP_MEMORY_LIMIT", default=2048)  # MiB of a server's whole tree; 0: none
MCP_INSTALL_TIMEOUT = env.whole("MCP_INSTALL_TIMEOUT", default=300, least=1)  # s, for npx, uvx ...
MCP_PROCESS_LIMIT = env.whole("MCP_PROCESS_LIMIT", default=256)
MCP_OPEN_FILES_LIMIT = env.whole("MCP_OPEN_FILES_LIMIT", default=4096)
MCP_CALL_CEILING_S = env.number("MCP_CALL_CEILING_S", default=3600, least=1)  # with reports of progress
MCP_RESULT_LIMIT = env.whole("MCP_RESULT_LIMIT", default=16 * 1024 * 1024, least=1)

globals().update(queues.celery(REDIS_URL))
CELERY_BEAT_SCHEDULE = schedule(health_s=SUPERVISOR_HEALTH_S)

# --- metrics, traces, logs ---------------------------------------------------------------------------------
METRICS = env.flag("METRICS", default=True)
METRICS_DIR = env.str("METRICS_DIR", default=str(DATA_DIR / "metrics"))  # one for all processes of a host
METRICS_BIND = env.bind("METRICS_BIND", example="0.0.0.0:9100")  # of a worker; "": web processes alone answer
METRICS_TOKEN = env.token("METRICS_TOKEN")
OTEL_EXPORTER_OTLP_ENDPOINT = env.web_address("OTEL_EXPORTER_OTLP_ENDPOINT", default="")  # "": no traces
OTEL_EXPORTER_OTLP_HEADERS = env.headers("OTEL_EXPORTER_OTLP_HEADERS")
OTEL_EXPORTER_OTLP_TRACES_HEADERS = env.headers("OTEL_EXPORTER_OTLP_TRACES_HEADERS")  # instead of those
LOG_LEVEL = env.str("LOG_LEVEL", default="INFO").upper()
LOG_FORMAT = env.str("LOG_FORMAT", default="text")
LOGGING = logging_at(LOG_LEVEL, form=LOG_FORMAT)
