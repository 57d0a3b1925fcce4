"""State that outlives a request and is shared by all processes, until `expires_at`."""

from typing import TypeVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apikeys.models import ApiKey
from assistants.models.assistants import Assistant
from assistants.models.runs import outlived
from tools.secrets.encryption import EncryptedJSONField


class Expiring(models.Model):
    """A row that counts until `expires_at`; a task deletes it some minutes later. Read rows by `alive`."""

    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        abstract = True


Row = TypeVar("Row", bound=Expiring)


def alive(rows: models.QuerySet[Row]) -> models.QuerySet[Row]:
    """Returns the rows that have not expired."""
    return rows.filter(expires_at__gt=timezone.now())


class HiddenRounds(Expiring):
    """The rounds of a run that its caller was not shown, since it ended in calls of the caller's own tools.

    See `assistants.conversations.hidden_rounds`.
    """

    api_key = outlived(ApiKey, models.CASCADE, related_name="+", db_index=False)
    assistant = outlived(Assistant, models.CASCADE, related_name="+", db_index=False)
    call_id = models.CharField(max_length=64)
    """The least of the ids of the calls that the caller was given: its next request names them."""
    messages = EncryptedJSONField()

    class Meta:
        verbose_name = _("hidden rounds")
        verbose_name_plural = _("hidden rounds")
        constraints = [
            models.UniqueConstraint(
                fields=["api_key", "assistant", "call_id"], name="hiddenrounds_key_assistant_call"
            )
        ]

    def __str__(self) -> str:
        return self.call_id


class Attempt(Expiring):
    """A request that its caller may repeat, with its answer in the end. See `assistants.idempotency`."""

    class Status(models.TextChoices):
        RUNNING = "running"
        ANSWERED = "answered"
        INTERRUPTED = "interrupted"

    api_key = outlived(ApiKey, models.CASCADE, related_name="+", db_index=False)
    name = models.CharField(max_length=300)
    """Identifies repetitions: the Idempotency-Key, or without one the hash of the body."""
    body_hash = models.CharField(max_length=64)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.RUNNING)
    owner = models.UUIDField()
    """Identifies the request that is being answered. One that replaces it has another."""
    seen_at = models.DateTimeField()
    """When the owner's process last reported itself alive."""
    answer = EncryptedJSONField(null=True)

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        constraints = [models.UniqueConstraint(fields=["api_key", "name"], name="attempt_key_name")]
        # Every process reports its owners as alive every few seconds.
        indexes = [models.Index(fields=["owner"], name="attempt_owner")]

    def __str__(self) -> str:
        return self.name


class RunCancellation(Expiring):
    """A request to end a run. The change feed wakes all processes; the one that executes the run ends it."""

    run_id = models.CharField(max_length=64, unique=True)

    class Meta:
        verbose_name = _("run cancellation")
        verbose_name_plural = _("run cancellations")

    def __str__(self) -> str:
        return self.run_id
