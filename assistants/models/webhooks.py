"""Webhooks: addresses that are told about events, and each delivery of an event to one of them."""

import secrets
from base64 import b64encode
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apikeys.models import EventType, OutboxEvent
from assistants.models.runs import outlived
from core.names import NameField
from core.validation import name_taken, no_nul
from tools.secrets.encryption import EncryptedJSONField, EncryptedURLField

LONGEST_URL = 2048


def new_secret() -> str:
    """Returns a secret in the form of Standard Webhooks."""
    return f"whsec_{b64encode(secrets.token_bytes(32)).decode()}"


def validate_events(value: Any) -> None:
    """Raises ValidationError unless `value` is a list of events that there are, none of them twice."""
    known = set(EventType.values)
    if not (isinstance(value, list) and value and all(isinstance(each, str) for each in value)):
        raise ValidationError(gettext("Name at least one event."))
    if unknown := sorted(set(value) - known):
        message = gettext("There is no event %(unknown)s. There are: %(known)s.")
        raise ValidationError(
            message % {"unknown": ", ".join(unknown)[:200], "known": ", ".join(EventType.values)}
        )
    if len(set(value)) < len(value):
        raise ValidationError(gettext("Name each event once."))


class Webhook(models.Model):
    """An address that is told about events. Its secret signs what is sent, and is shown once.

    After a rotation the previous secret signs beside the new one until `previous_secret_until`.
    """

    name = NameField(_("name"), max_length=255, validators=[no_nul])
    url = EncryptedURLField(_("address"))
    """Encrypted, because many services put a token into it."""
    events = models.JSONField(_("events"), default=list, validators=[validate_events])
    secret = EncryptedJSONField(_("secret"), default=new_secret, editable=False)
    previous_secret = EncryptedJSONField(_("previous secret"), null=True, editable=False)
    previous_secret_until = models.DateTimeField(_("previous secret until"), null=True, editable=False)
    is_enabled = models.BooleanField(_("enabled"), default=True)
    told = models.ManyToManyField(
        OutboxEvent, verbose_name=_("events"), through="Delivery", related_name="webhooks", editable=False
    )
    version = models.PositiveIntegerField(_("version"), default=1, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    class Meta:
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")
        ordering = ["name", "id"]
        constraints = [models.UniqueConstraint(Lower("name"), name="webhook_name_unique", **name_taken)]

    def __str__(self) -> str:
        return self.name

    @classmethod
    def url_field(cls) -> EncryptedURLField:
        """Returns the field of the address, which masks it and takes masked ones back."""
        field = cls._meta.get_field("url")
        assert isinstance(field, EncryptedURLField)  # noqa: S101 - for mypy
        return field


class DeliveryState(models.TextChoices):
    """waiting -> delivered | failed; sending one again makes it wait again."""

    WAITING = "waiting", _("Waiting")
    DELIVERED = "delivered", _("Delivered")
    FAILED = "failed", _("Failed")


class Delivery(models.Model):
    """One event on its way to one webhook. `error` is English, and names no secret."""

    # Without a constraint: an event must not fail what it is about, because a webhook is deleted meanwhile.
    webhook = outlived(Webhook, models.CASCADE, verbose_name=_("webhook"), related_name="deliveries")
    event = models.ForeignKey(
        OutboxEvent, verbose_name=_("event"), on_delete=models.CASCADE, related_name="deliveries"
    )
    state = models.CharField(
        _("state"), max_length=16, choices=DeliveryState.choices, default=DeliveryState.WAITING
    )
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    fence = models.UUIDField(null=True)
    """Identifies the present attempt: only who holds it may write its outcome."""
    status_code = models.PositiveSmallIntegerField(_("last status"), null=True)
    error = models.CharField(_("last error"), max_length=500, blank=True)
    next_attempt_at = models.DateTimeField(_("next attempt"), null=True, default=timezone.now)
    last_attempt_at = models.DateTimeField(_("last attempt"), null=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["webhook", "event"], name="delivery_webhook_event")]
        indexes = [
            models.Index(fields=["webhook", "-id"], name="delivery_webhook_latest"),
            models.Index(
                fields=["next_attempt_at"], condition=models.Q(state="waiting"), name="delivery_waiting"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event} to {self.webhook}"
