"""The tables of the connector: workers, leases on servers, the history of servers, OAuth grants."""

from datetime import timedelta
from typing import Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from connector.states import Phase
from core.validation import no_nul
from tools.models import ConnectionType, MCPTool, Status
from tools.secrets.encryption import EncryptedJSONField


class WorkerQuerySet(models.QuerySet["Worker"]):
    def alive(self) -> Self:
        """Workers that sent a heartbeat within a lease and are not draining."""
        return self.filter(seen_at__gt=Now() - timedelta(seconds=settings.SUPERVISOR_LEASE_S))


class Worker(models.Model):
    """One life of a supervisor; the name begins with its process id and start time.

    Only `connector.leases` writes it. `seen_at` is by the database's clock, and empty while the worker
    drains.
    """

    name = models.CharField(_("name"), max_length=64, primary_key=True)
    node = models.CharField(_("node"), max_length=255)
    host_id = models.CharField(_("host"), max_length=128)
    socket = models.CharField(_("socket"), max_length=108)
    address = models.CharField(_("address"), max_length=255, blank=True)
    seen_at = models.DateTimeField(_("seen at"), null=True)

    objects = WorkerQuerySet.as_manager()

    class Meta:
        verbose_name = _("worker")
        verbose_name_plural = _("workers")
        ordering = ["node"]

    def __str__(self) -> str:
        return self.node


class Instance(models.Model):
    """The lease on one slot of a server, and its owner's observation. Only `connector.leases` writes it.

    `fence` grows with every claim: an owner whose fence is not the row's has lost the server. `expires_at` is
    by the database's clock.
    """

    FEED_COLUMNS = ("worker_id", "fence", "phase")
    """The columns by which routes to a server change: see `core.feed`. Leases are renewed all the time."""

    server = models.ForeignKey(
        MCPTool, verbose_name=_("server"), on_delete=models.CASCADE, related_name="instances"
    )
    slot = models.PositiveSmallIntegerField(_("slot"), default=0)
    worker = models.ForeignKey(
        Worker, verbose_name=_("worker"), null=True, on_delete=models.SET_NULL, related_name="instances"
    )
    fence = models.PositiveBigIntegerField(_("fence"), default=0)
    expires_at = models.DateTimeField(_("expires"), null=True)

    phase = models.CharField(_("phase"), max_length=16, choices=Phase.choices, default=Phase.RELEASED)
    observed_generation = models.PositiveBigIntegerField(_("observed generation"), default=0)
    protocol_version = models.CharField(_("protocol version"), max_length=32, blank=True)
    pid = models.PositiveIntegerField(_("PID"), null=True)
    restarts = models.PositiveIntegerField(_("restarts"), default=0)
    started_at = models.DateTimeField(_("started"), null=True)
    checked_at = models.DateTimeField(_("last check"), null=True)
    last_healthy_at = models.DateTimeField(_("last healthy"), null=True)
    last_exit = models.JSONField(_("last exit"), null=True)
    error = models.JSONField(_("error"), null=True)
    stderr_tail = models.TextField(_("standard error"), blank=True)

    class Meta:
        verbose_name = _("instance")
        verbose_name_plural = _("instances")
        ordering = ["server_id", "slot"]
        constraints = [models.UniqueConstraint(fields=["server", "slot"], name="instance_server_slot")]

    def __str__(self) -> str:
        return f"{self.server_id}/{self.slot}"


class StateChange(models.Model):
    """A server's status from `at` on, and its error. A trigger writes a row for each change.

    Rows are deleted after 90 days.
    """

    server = models.ForeignKey(
        MCPTool, verbose_name=_("server"), on_delete=models.CASCADE, related_name="state_changes"
    )
    status = models.CharField(_("status"), max_length=16, choices=Status.choices)
    error = models.JSONField(_("error"), null=True)
    at = models.DateTimeField(_("time"))

    class Meta:
        verbose_name = _("state change")
        verbose_name_plural = _("state changes")
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["server", "at"], name="statechange_server_at")]

    def __str__(self) -> str:
        return f"{self.server_id}: {self.get_status_display()}"


class Outage(models.Model):
    """A server that webhooks were told is down. The row goes when they are told that it is back."""

    server = models.OneToOneField(
        MCPTool, verbose_name=_("server"), on_delete=models.CASCADE, related_name="outage"
    )
    since = models.DateTimeField(_("since"))

    class Meta:
        verbose_name = _("outage")
        verbose_name_plural = _("outages")

    def __str__(self) -> str:
        return f"{self.server_id} since {self.since:%Y-%m-%d %H:%M}"


class OAuthGrant(models.Model):
    """How workers authorize themselves at a remote server. Staff write the settings, workers the tokens.

    `kept` holds the `url` that the tokens are good for and, once there are any, `tokens`, `expires_at` (Unix
    time), `client` (as registered), `server` and `resource` (metadata of the authorization server and of the
    MCP server).
    """

    class Flow(models.TextChoices):
        LOGIN = "login", _("Login of a person")
        CLIENT_CREDENTIALS = "client_credentials", _("Client credentials")

    server = models.OneToOneField(
        MCPTool, verbose_name=_("server"), on_delete=models.CASCADE, related_name="oauth_grant"
    )
    flow = models.CharField(_("flow"), max_length=24, choices=Flow.choices, default=Flow.LOGIN)
    client_id = models.CharField(
        _("client"),
        max_length=2048,
        blank=True,
        validators=[no_nul],
        help_text=_("Empty for a login: registered where the authorization server offers that."),
    )
    client_secret = EncryptedJSONField(_("client secret"), default=str, blank=True)
    scope = models.CharField(
        _("scope"), max_length=1024, blank=True, validators=[no_nul], help_text=_("Empty: as asked for.")
    )
    issuer = models.CharField(
        _("issuer"),
        max_length=2048,
        blank=True,
        validators=[no_nul],
        help_text=_("The authorization server that the client belongs to: nobody else is shown the secret."),
    )
    kept = EncryptedJSONField(_("kept"), default=dict, blank=True, editable=False)
    connected_at = models.DateTimeField(_("connected since"), null=True, editable=False)
    renewing_until = models.DateTimeField(_("renewing until"), null=True, editable=False)

    class Meta:
        verbose_name_plural = _("OAuth grants")
        verbose_name = _("OAuth grant")
        ordering = ["server_id"]

    def __str__(self) -> str:
        return str(self.server)

    def clean(self) -> None:
        if hasattr(self, "server") and self.server.connection_type == ConnectionType.STDIO:
            raise ValidationError({"server": gettext("Choose a server that is reached by a URL.")})
        if hasattr(self, "server") and self.server.deleted_at is not None:
            raise ValidationError({"server": gettext("This server was deleted.")})
        if self.flow == self.Flow.CLIENT_CREDENTIALS:
            needed = {"client_id": self.client_id, "client_secret": self.client_secret, "issuer": self.issuer}
            if missing := {
                name: gettext("Client credentials need it.") for name, value in needed.items() if not value
            }:
                raise ValidationError(missing)

    @property
    def is_connected(self) -> bool:
        """Whether there are tokens for the server's present URL: a change of it forgets them."""
        return self.connected_at is not None
