"""API keys, what they spent, the audit log, and the outbox of events."""

from typing import Any, Self
from uuid import uuid4

from django.core.exceptions import ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apikeys import networks
from core.names import NameField
from core.validation import name_taken, no_nul

at_least_one = MinValueValidator(1)
MOST_NETWORKS, LONGEST_NETWORK = 100, 64
MOST_TOKENS = 2**53
"""A client may read numbers as floats: larger ones would not come back as they were sent."""


def validate_networks(value: Any) -> None:
    """Raises ValidationError unless `value` is a list of IPv4 or IPv6 networks in CIDR notation."""
    if not (isinstance(value, list) and all(isinstance(network, str) for network in value)):
        raise ValidationError(gettext("Give a list of networks, for example 10.0.0.0/8."))
    if any(len(network) > LONGEST_NETWORK for network in value):
        raise ValidationError(gettext("A network has at most %d characters.") % LONGEST_NETWORK)
    if len(value) > MOST_NETWORKS:
        raise ValidationError(gettext("At most %d networks.") % MOST_NETWORKS)
    try:
        networks.parse(value)
    except ValueError:
        raise ValidationError(gettext("Give networks in CIDR notation, for example 10.0.0.0/8.")) from None


def granted() -> "models.Prefetch[str]":
    """Returns what reads the assistants of keys: their ids alone, without prompts and vectors."""
    assistants = ApiKey._meta.get_field("assistants").related_model._default_manager.only("pk")
    return models.Prefetch("assistants", assistants)


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def usable(self) -> Self:
        """Returns keys that are neither disabled nor expired."""
        alive = models.Q(expires_at=None) | models.Q(expires_at__gt=timezone.now())
        return self.filter(alive, is_disabled=False)

    def with_key(self, key_hash: str) -> Self:
        """Returns the key whose present hash, or whose hash before the last rotation, is this one."""
        return self.filter(models.Q(key_hash=key_hash) | models.Q(previous_key_hash=key_hash))

    def with_assistant_ids(self) -> Self:
        """Prefetches what `assistant_ids` reads."""
        return self.prefetch_related(granted())

    def managing(self) -> Self:
        return self.filter(can_manage=True)


class ApiKey(models.Model):
    """An API key. Its secret is not stored: only its SHA-256, and the prefix by which people recognise it."""

    FEED_COLUMNS = (
        "name", "key_hash", "previous_key_hash", "previous_key_until", "can_manage", "can_call_assistant",
        "can_approve", "is_disabled", "expires_at", "requests_per_minute", "tokens_per_minute",
        "concurrent_requests", "tokens_per_month", "allowed_networks",
    )  # fmt: skip
    """The columns that revoke a key in every process, or change what it may do: see `core.feed`.

    Others are written all the time (`last_used_at`), or only along with these (`key_prefix`).
    """

    name = NameField(_("name"), max_length=255, validators=[no_nul])
    key_hash = models.CharField(_("key hash"), max_length=64, unique=True, editable=False)
    key_prefix = models.CharField(_("key"), max_length=32, editable=False)
    can_manage = models.BooleanField(
        _("may manage"), default=False, help_text=_("May use the management API.")
    )
    can_call_assistant = models.BooleanField(
        _("may call assistants"), default=True, help_text=_("May call the assistants granted to it.")
    )
    can_approve = models.BooleanField(
        _("may approve"),
        default=False,
        db_default=False,
        help_text=_("May decide over REST about calls that wait. Only managers set this, in the console."),
    )
    is_disabled = models.BooleanField(_("disabled"), default=False)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    previous_key_hash = models.CharField(  # noqa: DJ001 - unique, so none must be NULL
        _("previous key hash"),
        max_length=64,
        unique=True,
        null=True,
        editable=False,
    )
    previous_key_until = models.DateTimeField(_("previous key until"), null=True, editable=False)
    requests_per_minute = models.PositiveIntegerField(
        _("requests per minute"), null=True, blank=True, validators=[at_least_one]
    )
    tokens_per_minute = models.PositiveIntegerField(
        _("tokens per minute"), null=True, blank=True, validators=[at_least_one]
    )
    concurrent_requests = models.PositiveIntegerField(
        _("concurrent requests"), null=True, blank=True, validators=[at_least_one]
    )
    tokens_per_month = models.PositiveBigIntegerField(
        _("tokens per month"), null=True, blank=True, validators=[at_least_one]
    )
    allowed_networks = models.JSONField(
        _("allowed networks"),
        default=list,
        blank=True,
        validators=[validate_networks],
        help_text=_('Where the key may be used from, for example ["10.0.0.0/8"]. Empty: from anywhere.'),
    )
    last_used_at = models.DateTimeField(_("last used"), null=True, editable=False)
    expiry_told_days = models.PositiveSmallIntegerField(null=True, editable=False)
    """How many days before the present expiry webhooks were last told of it."""
    version = models.PositiveIntegerField(_("version"), default=1, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name_plural = _("API keys")
        verbose_name = _("API key")
        ordering = ["-created_at", "-id"]
        constraints = [models.UniqueConstraint(Lower("name"), name="apikey_name_unique", **name_taken)]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if self.tokens_per_month is not None and self.tokens_per_month > MOST_TOKENS:
            raise ValidationError({"tokens_per_month": gettext("At most %s.") % f"{MOST_TOKENS:,}"})

    @property
    def assistant_ids(self) -> list[int]:
        """The ids of the assistants that the key may call, over the reverse of `Assistant.api_keys`."""
        return sorted(assistant.pk for assistant in self.assistants.all())


class TokenUsage(models.Model):
    """The tokens that a key spent in a month of UTC. `month` is its first day."""

    # Without a constraint: a run that ends while its key is deleted must not fail the batch of all runs.
    api_key = models.ForeignKey(
        ApiKey,
        verbose_name=_("API key"),
        on_delete=models.CASCADE,
        related_name="token_usage",
        db_constraint=False,
    )
    month = models.DateField(_("month"))
    tokens = models.BigIntegerField(_("tokens"))
    told_percent = models.PositiveSmallIntegerField(default=0, db_default=0, editable=False)
    """The share of the budget that webhooks were last told of in this month."""

    class Meta:
        verbose_name = _("token usage")
        verbose_name_plural = _("token usages")
        constraints = [
            models.UniqueConstraint(fields=["api_key", "month"], name="tokenusage_key_month_unique")
        ]

    def __str__(self) -> str:
        return f"{self.api_key} {self.month:%Y-%m}: {self.tokens}"


class AuditEntry(models.Model):
    """A change by somebody. `before` and `after` hold the fields that differ, secrets masked."""

    at = models.DateTimeField(_("time"), auto_now_add=True, db_index=True)
    actor_kind = models.CharField(_("kind of actor"), max_length=8)
    actor_id = models.BigIntegerField(_("actor"), null=True)
    actor_name = models.CharField(_("who"), max_length=255)
    action = models.CharField(_("action"), max_length=16)
    object_kind = models.CharField(_("kind of object"), max_length=32)
    object_id = models.BigIntegerField(_("object"))
    object_name = models.CharField(_("object name"), max_length=255)
    before = models.JSONField(_("before"), null=True, encoder=DjangoJSONEncoder)
    after = models.JSONField(_("after"), null=True, encoder=DjangoJSONEncoder)
    request_id = models.CharField(_("request"), max_length=128, blank=True)
    address = models.CharField(_("address"), max_length=64, blank=True)

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["object_kind", "object_id"])]

    def __str__(self) -> str:
        action, kind = (gettext(word) for word in (self.action, self.object_kind))
        return f"{self.actor_name} {action} {kind} {self.object_name}"


class EventType(models.TextChoices):
    """What a webhook may be told about."""

    APPROVAL_WAITING = "approval.waiting", _("A call waits for a decision")
    APPROVAL_DECIDED = "approval.decided", _("A call was decided about")
    SERVER_DOWN = "server.down", _("A server is down")
    SERVER_UP = "server.up", _("A server is back")
    TOOL_CHANGED = "tool.changed", _("A tool's definition has changed")
    BUDGET_NEAR = "budget.near", _("A key's monthly budget is nearly spent")
    KEY_EXPIRING = "key.expiring", _("A key expires soon")


def _message_id() -> str:
    return f"msg_{uuid4().hex}"


class OutboxEvent(models.Model):
    """Something that webhooks are told about, written by `apikeys.outbox` in the transaction that made it so.

    `data` holds ids and names: no arguments of calls, no codes, no secrets.
    """

    message_id = models.CharField(max_length=36, unique=True, default=_message_id, editable=False)
    """The header `webhook-id`, the same at each attempt: by it a receiver knows what it has already got."""
    type = models.CharField(_("event"), max_length=32, choices=EventType.choices)
    data = models.JSONField(_("data"), encoder=DjangoJSONEncoder)
    created_at = models.DateTimeField(_("created"), auto_now_add=True, db_index=True)

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.type} {self.message_id}"
