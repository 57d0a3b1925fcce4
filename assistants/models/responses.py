"""Responses that the Responses API stores, and their events, so that any process can go on from them."""

from typing import Self

from django.db import models
from django.db.models import Exists, OuterRef, Q, Value
from django.db.models.functions import Now, Replace
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apikeys.models import ApiKey
from assistants.models.approvals import Approval, ApprovalState
from assistants.models.expiring import Expiring
from assistants.models.runs import Conversation, outlived
from tools.secrets.encryption import EncryptedJSONField


class StoredResponseQuerySet(models.QuerySet["StoredResponse"]):
    def of_key(self, api_key_id: int) -> Self:
        """Returns the responses of a key that have not expired."""
        return self.filter(api_key_id=api_key_id, expires_at__gt=timezone.now())

    def of_conversation(self, conversation: Conversation) -> Self:
        """Returns the responses that name the conversation, or are of its runs."""
        runs = conversation.runs.values_list(Replace("run_id", Value("run_"), Value("resp_")))
        named = Q(api_key_id=conversation.api_key_id, conversation=conversation.external_id)
        return self.filter(named | Q(response_id__in=runs))

    def waiting(self) -> Self:
        """Returns responses that wait for a worker, and for no approval."""
        awaited = Approval.objects.filter(pk=OuterRef("awaits")).exclude(state__in=ApprovalState.final())
        return self.unclaimed().filter(~Exists(awaited))

    def unclaimed(self) -> Self:
        """Returns responses that no worker has."""
        return self.filter(status=StoredResponse.Status.QUEUED)

    def running(self) -> Self:
        """Returns responses that a worker is working on."""
        return self.filter(status=StoredResponse.Status.IN_PROGRESS)

    def lost(self) -> Self:
        """Returns running responses whose worker no longer renews its lease."""
        return self.running().filter(lease_until__lte=Now())


class StoredResponse(Expiring):
    """A response and its input. `lease_until`: until when a worker holds it, if it runs in the background."""

    class Status(models.TextChoices):
        QUEUED = "queued"
        IN_PROGRESS = "in_progress"
        COMPLETED = "completed"
        INCOMPLETE = "incomplete"
        FAILED = "failed"
        CANCELLED = "cancelled"

    response_id = models.CharField(max_length=64, unique=True)
    api_key = outlived(ApiKey, models.CASCADE, related_name="+", db_index=False)
    previous_response_id = models.CharField(max_length=64, blank=True)
    conversation = models.CharField(max_length=512, blank=True)
    is_background = models.BooleanField(default=False)
    status = models.CharField(max_length=16, choices=Status.choices)
    lease_until = models.DateTimeField(null=True)
    fence = models.UUIDField(null=True)
    """Identifies the worker's claim: only who holds it may write."""
    awaits = models.BigIntegerField(null=True)
    """The number of the approval that its run needs to go on."""
    created_at = models.DateTimeField(default=timezone.now)
    input = EncryptedJSONField()
    """The items of the request, with ids, without those of the response that it continues."""
    body = EncryptedJSONField()
    """The response object as far as it is complete. The row's `status` counts, not the one in it."""
    request = EncryptedJSONField(null=True)
    """A worker's input: {"body", "request_id", "session_id", "end_user"}, "trace", the headers of W3C Trace
    Context, and "held", where its run waits (`responses.held_runs`). None once the response is over.
    """

    objects = StoredResponseQuerySet.as_manager()

    class Meta:
        verbose_name = _("stored response")
        verbose_name_plural = _("stored responses")
        indexes = [
            models.Index(fields=["api_key", "conversation", "id"], name="response_key_conversation"),
            models.Index(
                fields=["status"],
                condition=Q(status__in=["queued", "in_progress"]),
                name="response_unfinished",
            ),
        ]

    def __str__(self) -> str:
        return self.response_id

    @property
    def is_over(self) -> bool:
        return self.status not in {self.Status.QUEUED, self.Status.IN_PROGRESS}

    @property
    def resource(self) -> dict[str, object]:
        """The response object, as callers see it."""
        return {**self.body, "status": self.status}


class ResponseEvents(models.Model):
    """A batch of events of a background response, so that a caller can resume its stream."""

    response = models.ForeignKey(
        StoredResponse, on_delete=models.CASCADE, related_name="events", db_index=False
    )
    first_number = models.PositiveIntegerField()
    """The `sequence_number` of the first event."""
    events = EncryptedJSONField()

    class Meta:
        verbose_name = _("response events")
        verbose_name_plural = _("response events")
        ordering = ["response_id", "first_number"]
        constraints = [
            models.UniqueConstraint(fields=["response", "first_number"], name="responseevents_first_number")
        ]

    def __str__(self) -> str:
        return f"{self.response_id} from {self.first_number}"
