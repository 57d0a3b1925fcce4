"""Rules of calls: what becomes of a call of a tool before it is made. `assistants.rules` judges by them."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from apikeys.models import ApiKey
from assistants.models.assistants import Assistant
from core.names import NameField
from core.validation import name_taken, no_nul


class Effect(models.TextChoices):
    """What becomes of a call that a rule matches."""

    ALLOW = "allow", _("Allow")
    MASK = "mask", _("Mask arguments")
    ASK = "ask", _("Ask")
    DENY = "deny", _("Deny")


class Approver(models.TextChoices):
    """Who decides about a call that is asked about."""

    STAFF = "staff", _("Staff")
    CALLER = "caller", _("The caller")


class Rule(models.Model):
    """One rule. Of each scope the first enabled rule that matches counts, by `position`; the strictest of
    the scopes wins, so that a narrower one can only tighten.

    `conditions` (the API's `when`) are `{servers: [id], functions: [public_name], labels: [..],
    annotations: {readOnlyHint: bool, ...}, end_users: [..], expression: CEL}`; one that is not there matches
    every call. `effect` is the API's `then`.
    `mask`: paths in the arguments, such as `$.card.number`, whose values are replaced.
    """

    class Scope(models.TextChoices):
        GLOBAL = "global", _("All calls")
        ASSISTANT = "assistant", _("Calls of an assistant")
        KEY = "key", _("Calls with an API key")

    FEED_COLUMNS = (
        "name", "position", "scope", "assistant_id", "api_key_id", "conditions", "effect", "approver",
        "reason", "mask", "is_enabled",
    )  # fmt: skip
    """What `assistants.rules` compiles and keeps: see `core.feed`."""

    name = NameField(_("name"), max_length=255, validators=[no_nul])
    position = models.PositiveIntegerField(_("position"), default=100)
    scope = models.CharField(_("scope"), max_length=16, choices=Scope.choices, default=Scope.GLOBAL)
    assistant = models.ForeignKey(
        Assistant,
        verbose_name=_("assistant"),
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="rules",
    )
    api_key = models.ForeignKey(
        ApiKey,
        verbose_name=_("API key"),
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
    )
    conditions = models.JSONField(_("when"), default=dict, blank=True)
    effect = models.CharField(_("then"), max_length=8, choices=Effect.choices)
    approver = models.CharField(
        _("who decides"), max_length=8, choices=Approver.choices, default=Approver.STAFF, blank=True
    )
    reason = models.CharField(_("reason"), max_length=1000, blank=True, validators=[no_nul])
    mask = models.JSONField(_("masked arguments"), default=list, blank=True)
    is_enabled = models.BooleanField(_("enabled"), default=True)
    version = models.PositiveIntegerField(_("version"), default=1, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    class Meta:
        verbose_name = _("rule")
        verbose_name_plural = _("rules")
        ordering = ["position", "id"]
        constraints = [
            models.UniqueConstraint(Lower("name"), name="rule_name_unique", **name_taken),
            models.CheckConstraint(
                name="rule_scope_object",
                condition=Q(scope="global", assistant=None, api_key=None)
                | Q(scope="assistant", assistant__isnull=False, api_key=None)
                | Q(scope="key", assistant=None, api_key__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.name
