"""The choices of a server: how it is reached, its status, its labels, what changed definitions do."""

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


class Label(models.TextChoices):
    """What calling a tool means for a conversation. Staff set it on servers and on tools."""

    READS_PRIVATE = "reads_private", _("Reads private data")
    FOREIGN_TEXT = "foreign_text", _("Brings in foreign text")
    SENDS_OUT = "sends_out", _("Can send out")


class Approval(models.TextChoices):
    AUTO = "auto", _("Serve changed definitions")
    PINNED = "pinned", _("Withhold changed definitions until approved")
