"""Settings whose values are secrets of the installation itself.

Commands have them in their environment, from `.env` and `DATA_DIR`, too. Nothing that a file configures is
filled with them: whoever writes one line of it could have them sent anywhere.
"""

SECRET_SETTINGS = frozenset(
    {
        "DATABASE_DIRECT_URL", "DATABASE_URL", "EMBEDDING_API_KEY", "METRICS_TOKEN", "OPENAI_API_KEY",
        "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS", "REDIS_URL",
        "SECRET_ENCRYPTION_KEYS", "SECRET_KEY", "STRANDS_API_KEY", "TOOL_FILTER_TOKEN",
        "PGPASSWORD", "POSTGRES_PASSWORD", "REDIS_PASSWORD",  # of libpq, and of docker-compose.yml
    }
)  # fmt: skip
