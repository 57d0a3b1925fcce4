"""The choices of a server: how it is reached, its derived status, and what happens to changed definitions."""

from django.db import models


class ConnectionType(models.TextChoices):
    STDIO = "stdio", "stdio"
    SSE = "sse", "SSE"
    STREAMABLE_HTTP = "streamable_http", "Streamable HTTP"


class Status(models.TextChoices):
    STOPPED = "stopped", "Stopped"
    STARTING = "starting", "Starting"
    RUNNING = "running", "Running"
    DEGRADED = "degraded", "Degraded"
    ERROR = "error", "Error"


class Approval(models.TextChoices):
    AUTO = "auto", "Serve changed definitions"
    PINNED = "pinned", "Withhold changed definitions until approved"
