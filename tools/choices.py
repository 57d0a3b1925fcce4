"""The choices of a server: how it is reached, its derived status, and what happens to changed definitions."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class ConnectionType(models.TextChoices):
    STDIO = "stdio", _("stdio")
    SSE = "sse", _("SSE")
    STREAMABLE_HTTP = "streamable_http", _("Streamable HTTP")


class Status(models.TextChoices):
    STOPPED = "stopped", _("Stopped")
    STARTING = "starting", _("Starting")
    RUNNING = "running", _("Running")
    DEGRADED = "degraded", _("Degraded")
    ERROR = "error", _("Error")


class Approval(models.TextChoices):
    AUTO = "auto", _("Serve changed definitions")
    PINNED = "pinned", _("Withhold changed definitions until approved")
