from django.db import models

from connector.states import Phase
from tools.models import MCPTool, Status


class Worker(models.Model):
    """One life of a supervisor; the name begins with its process id and start time. Only `leases` writes it.

    `seen_at` is by the database's clock, and empty while the worker drains.
    """

    name = models.CharField(max_length=64, primary_key=True)
    node = models.CharField(max_length=255)
    host_id = models.CharField(max_length=128)
    socket = models.CharField(max_length=108)
    address = models.CharField(max_length=255, blank=True)
    seen_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["node"]

    def __str__(self) -> str:
        return self.node


class Instance(models.Model):
    """The lease on one slot of a server, and what its owner observes. Only `connector.leases` writes it.

    `fence` grows with every claim: an owner whose fence is not the row's has lost the server. `expires_at` is
    by the database's clock.
    """

    server = models.ForeignKey(MCPTool, on_delete=models.CASCADE, related_name="instances")
    slot = models.PositiveSmallIntegerField(default=0)
    worker = models.ForeignKey(Worker, null=True, on_delete=models.SET_NULL, related_name="instances")
    fence = models.PositiveBigIntegerField(default=0)
    expires_at = models.DateTimeField(null=True)

    phase = models.CharField(max_length=16, choices=Phase.choices, default=Phase.RELEASED)
    observed_generation = models.PositiveBigIntegerField(default=0)
    protocol_version = models.CharField(max_length=32, blank=True)
    pid = models.PositiveIntegerField(null=True)
    restarts = models.PositiveIntegerField(default=0)
    started_at = models.DateTimeField(null=True)
    checked_at = models.DateTimeField(null=True)
    last_healthy_at = models.DateTimeField(null=True)
    last_exit = models.JSONField(null=True)
    error = models.JSONField(null=True)
    stderr_tail = models.TextField(blank=True)

    class Meta:
        ordering = ["server_id", "slot"]
        constraints = [models.UniqueConstraint(fields=["server", "slot"], name="instance_server_slot")]

    def __str__(self) -> str:
        return f"{self.server_id}/{self.slot}"


class StateChange(models.Model):
    """A server's status from `at` on, and why. The database itself notes every change; kept for 90 days."""

    server = models.ForeignKey(MCPTool, on_delete=models.CASCADE, related_name="state_changes")
    status = models.CharField(max_length=16, choices=Status.choices)
    error = models.JSONField(null=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["server", "at"], name="statechange_server_at")]

    def __str__(self) -> str:
        return f"{self.server_id}: {self.status}"
