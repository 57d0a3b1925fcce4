"""State that outlives a request but not its time: any web process may need it, until `expires_at`."""

from typing import TypeVar

from django.db import models
from django.utils import timezone

from apikeys.models import ApiKey
from assistants.models.assistants import Assistant
from assistants.models.runs import outlived
from tools.secrets.encryption import EncryptedJSONField


class Expiring(models.Model):
    """A beat task deletes what has expired; until then nobody may take it for alive."""

    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        abstract = True


Row = TypeVar("Row", bound=Expiring)


def alive(rows: models.QuerySet[Row]) -> models.QuerySet[Row]:
    return rows.filter(expires_at__gt=timezone.now())


class HiddenRounds(Expiring):
    """What a caller was not shown of a run that ended in calls of its own tools. See `hidden_rounds`."""

    api_key = outlived(ApiKey, models.CASCADE, related_name="+", db_index=False)
    assistant = outlived(Assistant, models.CASCADE, related_name="+", db_index=False)
    call_id = models.CharField(max_length=64)
    """The first, in the order of text, of the calls that the caller was given."""
    messages = EncryptedJSONField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["api_key", "assistant", "call_id"], name="hiddenrounds_key_assistant_call"
            )
        ]

    def __str__(self) -> str:
        return self.call_id


class Attempt(Expiring):
    """A request that its caller may send again, and its answer, once there is one. See `attempts`."""

    class Status(models.TextChoices):
        RUNNING = "running"
        ANSWERED = "answered"
        INTERRUPTED = "interrupted"

    api_key = outlived(ApiKey, models.CASCADE, related_name="+", db_index=False)
    name = models.CharField(max_length=300)
    """How the caller names it again: by its Idempotency-Key, or by the body itself."""
    body_hash = models.CharField(max_length=64)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.RUNNING)
    owner = models.UUIDField()
    """Whose it is to answer; a request that takes its place has another."""
    seen_at = models.DateTimeField()
    """When its owner was last known to be alive."""
    answer = EncryptedJSONField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["api_key", "name"], name="attempt_key_name")]

    def __str__(self) -> str:
        return self.name


class RunCancellation(Expiring):
    """Somebody wants a run to end. The change feed tells all processes; the one that runs it ends it."""

    run_id = models.CharField(max_length=64, unique=True)

    def __str__(self) -> str:
        return self.run_id
