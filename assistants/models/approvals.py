"""Approvals: calls of tools that wait until somebody decides, and the answers that wait for them."""

from typing import Any, Self

from django.db import models
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from apikeys.models import ApiKey
from assistants.models.assistants import Assistant
from assistants.models.expiring import Expiring
from assistants.models.rules import Approver, Rule
from assistants.models.runs import RunKind, outlived
from tools.models import MCPTool
from tools.secrets.encryption import EncryptedJSONField


class ApprovalState(models.TextChoices):
    """waiting -> approved | rejected | expired | cancelled; approved -> running -> done | unknown_outcome;
    approved -> waiting, where the claim finds that something has changed.
    """

    WAITING = "waiting", _("Waiting")
    APPROVED = "approved", _("Approved")
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    REJECTED = "rejected", _("Rejected")
    EXPIRED = "expired", _("Expired")
    CANCELLED = "cancelled", _("Cancelled")
    UNKNOWN_OUTCOME = "unknown_outcome", _("Unknown outcome")

    @classmethod
    def final(cls) -> frozenset[Self]:
        """Returns the states that no move leaves."""
        return frozenset({cls.DONE, cls.REJECTED, cls.EXPIRED, cls.CANCELLED, cls.UNKNOWN_OUTCOME})


class ApprovalQuerySet(models.QuerySet["Approval"]):
    def waiting(self) -> Self:
        """Returns calls that somebody may still decide about."""
        return self.filter(state=ApprovalState.WAITING, expires_at__gt=timezone.now())

    def joinable(self) -> Self:
        """Returns calls that are not over, and those whose outcome nobody has been told."""
        under_way = models.Q(state__in=[ApprovalState.APPROVED, ApprovalState.RUNNING])
        waits = models.Q(state=ApprovalState.WAITING, expires_at__gt=timezone.now())
        told = [ApprovalState.DONE, ApprovalState.REJECTED, ApprovalState.UNKNOWN_OUTCOME]
        untold = models.Q(state__in=told, delivered_at=None, result_expires_at__gt=timezone.now())
        return self.filter(under_way | waits | untold)

    def claimable(self) -> Self:
        """Returns calls that wait for a worker, and those whose worker was lost."""
        lost = models.Q(state=ApprovalState.RUNNING, lease_until__lte=Now())
        return self.filter(models.Q(state=ApprovalState.APPROVED) | lost)

    def undecrypted(self) -> Self:
        """Defers what is encrypted."""
        return self.defer("arguments", "edited_arguments", "result")


class Approval(models.Model):
    """A call that is asked about. Its `number` is public; the code of a caller's decision is not stored.

    Who asked is `owner`, as in `Principal.limited_as`. `definition_hash` and `generation` (of the server's
    launch) are those that were asked about. `transcript` is the digest of the conversation before the round,
    `signature` that of the function and its arguments: an equal call joins the row. `touched` are the labels
    of what the conversation had touched by then. `result_expires_at`: until when the outcome is told,
    whatever it is.
    """

    FEED_COLUMNS = ("state", "approver")
    """What wakes those who wait, and the inbox: see `core.feed`."""

    state = models.CharField(
        _("state"), max_length=16, choices=ApprovalState.choices, default=ApprovalState.WAITING
    )
    approver = models.CharField(_("who decides"), max_length=8, choices=Approver.choices)
    rule = models.ForeignKey(
        Rule, verbose_name=_("rule"), on_delete=models.SET_NULL, null=True, related_name="+"
    )
    rule_name = models.CharField(_("rule"), max_length=255, blank=True)
    kind = models.CharField(_("kind"), max_length=8, choices=RunKind.choices, default=RunKind.CHAT)

    owner = models.CharField(_("owner"), max_length=64)
    api_key = outlived(ApiKey, models.SET_NULL, null=True, related_name="+", verbose_name=_("API key"))
    api_key_name = models.CharField(_("API key"), max_length=255, blank=True)
    key_prefix = models.CharField(_("key"), max_length=32, blank=True)
    username = models.CharField(_("member of staff"), max_length=150, blank=True)
    end_user = models.CharField(_("end user"), max_length=512, blank=True)
    assistant = outlived(Assistant, models.SET_NULL, null=True, related_name="+", verbose_name=_("assistant"))
    assistant_slug = models.CharField(_("assistant"), max_length=63, blank=True)
    session = models.CharField(_("session"), max_length=512, blank=True)
    run_id = models.CharField(_("run"), max_length=64)

    mcp_tool = outlived(MCPTool, models.SET_NULL, null=True, related_name="+", verbose_name=_("server"))
    server = models.CharField(_("server"), max_length=255)
    function = models.CharField(_("tool"), max_length=255)
    public_name = models.CharField(_("public name"), max_length=64)
    arguments = EncryptedJSONField(_("arguments"))
    edited_arguments = EncryptedJSONField(_("edited arguments"), null=True)
    definition_hash = models.CharField(max_length=64)
    generation = models.PositiveBigIntegerField()
    transcript = models.CharField(max_length=64, blank=True)
    signature = models.CharField(max_length=64)
    touched = models.JSONField(default=list)

    reason = models.CharField(_("reason"), max_length=1000, blank=True)
    decided_by = models.CharField(_("decided by"), max_length=255, blank=True)
    decider_kind = models.CharField(max_length=8, blank=True)
    """As in `Actor.kind`: `staff`, `key`; `caller` where the caller decided by a code or an item."""
    decider_id = models.BigIntegerField(null=True)
    decided_at = models.DateTimeField(_("decided"), null=True)
    code_hash = models.CharField(max_length=64, blank=True)
    wrong_codes = models.PositiveSmallIntegerField(default=0)

    fence = models.UUIDField(null=True)
    """Identifies the worker's claim: only who holds it may write the result."""
    lease_until = models.DateTimeField(null=True)
    result = EncryptedJSONField(null=True)
    """Wire JSON of the call's result, or `{"failure": {"code", "message"}}`."""
    result_expires_at = models.DateTimeField(_("result expires"), null=True)
    delivered_at = models.DateTimeField(_("delivered"), null=True)
    expires_at = models.DateTimeField(_("expires"))
    created_at = models.DateTimeField(_("created"), default=timezone.now)

    objects = ApprovalQuerySet.as_manager()

    class Meta:
        verbose_name = _("approval")
        verbose_name_plural = _("approvals")
        ordering = ["-id"]
        permissions = [("decide_approval", gettext_noop("Can decide about calls that wait"))]
        indexes = [
            models.Index(fields=["expires_at"], condition=models.Q(state="waiting"), name="approval_waiting"),
            models.Index(
                fields=["state"],
                condition=models.Q(state__in=["approved", "running"]),
                name="approval_active",
            ),
            models.Index(fields=["owner", "signature", "-id"], name="approval_owner_signature"),
            models.Index(
                fields=["owner"], condition=models.Q(state="waiting"), name="approval_owner_waiting"
            ),
            models.Index(fields=["run_id"], name="approval_run"),
            models.Index(fields=["state", "-id"], name="approval_state_latest"),
            models.Index(
                fields=["result_expires_at"],
                condition=models.Q(result_expires_at__isnull=False),
                name="approval_result_expiring",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk}: {self.server} {self.function}"

    @property
    def number(self) -> int:
        return self.pk

    @property
    def named(self) -> str:
        """What the audit log calls it."""
        return f"{self.server} {self.function}"

    @property
    def asking_key_id(self) -> int | None:
        """The id of the key that asked, also where it is deleted; None for a member of staff."""
        return int(self.owner) if self.owner.isdigit() else None

    @property
    def asking_user_id(self) -> int | None:
        """The id of the member of staff who asked; None for a key."""
        return None if self.owner.isdigit() else int(self.owner.removeprefix("user-"))

    @property
    def sent_arguments(self) -> Any:
        """The arguments with which the call is made."""
        return self.arguments if self.edited_arguments is None else self.edited_arguments


class HeldAnswer(Expiring):
    """The rounds of an answer that ended while calls waited, so that the conversation's next message goes on.

    `messages` are OpenAI chat messages: what the model said in this run, with the results that are there.
    `waiting` has the calls without one: `{call_id: number of the approval}`. `transcript` is the digest of
    the conversation that was answered.
    """

    owner = models.CharField(max_length=64)
    end_user = models.CharField(max_length=512, blank=True)
    assistant = outlived(Assistant, models.CASCADE, related_name="+", db_index=False)
    transcript = models.CharField(max_length=64)
    messages = EncryptedJSONField()
    waiting = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("held answer")
        verbose_name_plural = _("held answers")
        indexes = [models.Index(fields=["owner", "transcript", "-id"], name="heldanswer_transcript")]

    def __str__(self) -> str:
        return f"{self.owner} {self.pk}"
