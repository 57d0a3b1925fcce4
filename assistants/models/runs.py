"""Runs, their tool calls and sessions. `assistants.recording` writes these rows, in bulk."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Count, F, Q, Sum
from django.db.models.functions import Coalesce, TruncDate
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from apikeys.models import ApiKey
from assistants.models.assistants import Assistant
from tools.models import MCPTool
from tools.secrets.encryption import EncryptedJSONField

_SLACK_S = 60
"""How long after its deadline a run counts as abandoned: rows are written late, in batches."""


def outlived(to: type[models.Model], on_delete: Any, **options: Any) -> Any:
    """Returns a relation without a constraint: a run is written later than its key may be deleted."""
    return models.ForeignKey(to, on_delete=on_delete, db_constraint=False, **options)


class Conversation(models.Model):
    """A session: runs of one key that belong together, by the id that the caller gave."""

    FEED_COLUMNS = ("assistant_id",)
    """What `assistants.routing` remembers of a session: see `core.feed`. Every run writes other columns."""

    api_key = outlived(ApiKey, models.CASCADE, related_name="+", db_index=False)
    assistant = outlived(Assistant, models.SET_NULL, null=True, related_name="+")
    external_id = models.CharField(_("external"), max_length=512)
    created_at = models.DateTimeField(_("created"))
    last_run_at = models.DateTimeField(_("last run"), db_index=True)
    messages = EncryptedJSONField(_("messages"), null=True)
    """OpenAI chat messages, if the caller asked for a stored history."""
    messages_expire_at = models.DateTimeField(_("messages expire at"), null=True)

    class Meta:
        verbose_name_plural = _("sessions")
        verbose_name = _("session")
        ordering = ["-last_run_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["api_key", "external_id"], name="conversation_key_external_id")
        ]
        indexes = [
            models.Index(
                fields=["messages_expire_at"],
                condition=models.Q(messages_expire_at__isnull=False),
                name="conversation_expiring",
            )
        ]

    def __str__(self) -> str:
        return self.external_id


class RunStatus(models.TextChoices):
    RUNNING = "running", _("Running")
    COMPLETED = "completed", _("Completed")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")


class RunKind(models.TextChoices):
    """What asked: a chat is answered by a model, the others are one call of a tool each, without a model."""

    CHAT = "chat", _("Chat")
    MCP = "mcp", "MCP"
    REST = "rest", "REST"


USAGE_GROUPS: dict[str, dict[str, Any]] = {
    "api_key": {
        "api_key_id": None,
        "current_name": Coalesce("api_key__name", "api_key_name"),
        "current_prefix": Coalesce("api_key__key_prefix", "key_prefix"),
    },
    "assistant": {
        "assistant_id": None,
        "current_slug": Coalesce("assistant__slug", "assistant_slug"),
    },
    "model": {"model": None},
    "kind": {"kind": None},
    "end_user": {"end_user": None},
    "day": {"day": TruncDate("started_at", tzinfo=UTC)},
}
"""The columns of each group; None means a field of Run. Keys and assistants have their present names."""


USAGE_DAYS = 30
"""How many days usage is summed over, unless one asks for others."""


def usage_groups(names: str) -> list[str]:
    """Returns the groups in a text, where commas separate them. Raises ValueError for unknown ones."""
    asked = names.split(",")
    if unknown := sorted(set(asked) - USAGE_GROUPS.keys()):
        raise ValueError(f"Not known: {', '.join(unknown)}.")
    return [name for name in USAGE_GROUPS if name in asked]


class RunQuerySet(models.QuerySet["Run"]):
    def since(self, moment: datetime) -> Self:
        """Returns runs that were started then or later."""
        return self.filter(started_at__gte=moment)

    def usage(self, groups: Iterable[str]) -> models.QuerySet[Any, dict[str, Any]]:
        """Returns a row for each group: runs, tokens and calls of server tools. `groups`: of USAGE_GROUPS."""
        columns = {name: column for group in groups for name, column in USAGE_GROUPS[group].items()}
        named = self.annotate(**{name: column for name, column in columns.items() if column is not None})
        rows: models.QuerySet[Any, dict[str, Any]] = (
            named.order_by()
            .values(*columns)
            .annotate(
                runs=Count("pk"),
                failed_runs=Count("pk", filter=Q(status=RunStatus.FAILED)),
                prompt_tokens=Sum("prompt_tokens"),
                completion_tokens=Sum("completion_tokens"),
                server_tool_calls=Sum("server_tool_calls"),
            )
        )
        rows = rows.annotate(total_tokens=F("prompt_tokens") + F("completion_tokens"))
        return rows.order_by("-day" if "day" in columns else "-total_tokens", *columns)

    def abandoned(self) -> Self:
        """Returns running runs that are past their deadline. Only a killed process leaves them behind."""
        is_late = Q(kind=RunKind.CHAT, started_at__lt=_before(settings.RUN_DEADLINE_S))
        is_late |= ~Q(kind=RunKind.CHAT) & Q(started_at__lt=_before(settings.MCP_CALL_CEILING_S))
        return self.filter(is_late, status=RunStatus.RUNNING)


def _before(deadline_s: float) -> datetime:
    return timezone.now() - timedelta(seconds=deadline_s + _SLACK_S)


class Run(models.Model):
    """One request to an assistant, or one call of a tool. Names of deleted keys and assistants remain.

    A call of a tool that no assistant was asked for has none: `assistant_slug` is "".
    """

    BODIES = ("request", "answer")
    """What may be deleted before the run is, see BODY_RETENTION_DAYS."""

    kind = models.CharField(
        _("kind"), max_length=8, choices=RunKind.choices, default=RunKind.CHAT, db_default=RunKind.CHAT
    )
    run_id = models.CharField(_("run"), max_length=64)
    request_id = models.CharField(_("request"), max_length=128)
    api_key = outlived(
        ApiKey, models.SET_NULL, null=True, related_name="+", db_index=False, verbose_name=_("API key")
    )
    api_key_name = models.CharField(_("API key"), max_length=255)
    key_prefix = models.CharField(_("key"), max_length=32)
    assistant = outlived(
        Assistant,
        models.SET_NULL,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("assistant"),
    )
    username = models.CharField(_("member of staff"), max_length=150, blank=True, default="", db_default="")
    """The member of staff who chatted in the playground; then there is no key. "" for requests with a key."""
    end_user = models.CharField(_("end user"), max_length=512, blank=True, default="", db_default="")
    """Whom the caller asked for, by its own name for them. It grants nothing."""
    assistant_slug = models.CharField(_("assistant"), max_length=63, blank=True)
    conversation = models.ForeignKey(
        Conversation,
        verbose_name=_("conversation"),
        on_delete=models.SET_NULL,
        null=True,
        related_name="runs",
    )
    model = models.CharField(_("model"), max_length=255, blank=True)
    status = models.CharField(_("status"), max_length=16, choices=RunStatus.choices)
    rounds = models.PositiveIntegerField(_("rounds"), default=0)
    prompt_tokens = models.PositiveBigIntegerField(_("prompt tokens"), default=0)
    completion_tokens = models.PositiveBigIntegerField(_("completion tokens"), default=0)
    usage_estimated = models.BooleanField(_("usage is estimated"), default=False, db_default=False)
    """Whether the LLM service reported no tokens, or not all, so that they are estimated from the texts."""
    server_tool_calls = models.PositiveIntegerField(_("server tool calls"), default=0)
    started_at = models.DateTimeField(_("started"))
    first_token_ms = models.PositiveIntegerField(_("first token (ms)"), null=True)
    duration_ms = models.PositiveIntegerField(_("duration (ms)"), null=True)
    error = models.CharField(_("error"), max_length=64, blank=True)
    """The code of the error, or ""."""
    request = models.TextField(_("request"), null=True)  # noqa: DJ001 - NULL: not stored
    """The query of its selection, see `assistants.selection.query`. NULL unless bodies are stored."""
    answer = models.TextField(_("answer"), null=True)  # noqa: DJ001 - NULL: not stored
    """The answer as far as it came. NULL unless the assistant stores bodies."""
    selection = models.JSONField(_("selection"), null=True)
    """Which tools the model was given, and from which. See `assistants.recording.selections`."""
    model_rounds = models.JSONField(_("model rounds"), null=True)
    """What the model did when: see `assistants.recording.rounds`. NULL while it runs, and in older rows."""
    unavailable = models.JSONField(_("unavailable"), null=True)
    """The servers whose tools the model was not offered: `[{"server", "reason"}]`."""

    objects = RunQuerySet.as_manager()

    class Meta:
        verbose_name = _("run")
        verbose_name_plural = _("runs")
        ordering = ["-started_at", "-id"]
        permissions = [
            ("view_run_bodies", gettext_noop("Can read the stored texts of runs and of their tool calls"))
        ]
        constraints = [models.UniqueConstraint(fields=["run_id"], name="run_run_id_unique")]
        indexes = [
            models.Index(fields=["request_id"], name="run_request_id"),
            # The filters of the console's list, which shows the latest first.
            models.Index(fields=["api_key", "-started_at", "-id"], name="run_key_latest"),
            models.Index(fields=["assistant", "-started_at", "-id"], name="run_assistant_latest"),
            models.Index(fields=["status", "-started_at", "-id"], name="run_status_latest"),
            models.Index(fields=["kind", "-started_at", "-id"], name="run_kind_latest"),
            models.Index(
                fields=["-started_at", "-id"], condition=~models.Q(error=""), name="run_errors_latest"
            ),
            # Sums over a period, for charts: of this index alone, whatever else a row holds.
            models.Index(
                fields=["started_at"],
                include=["status", "prompt_tokens", "completion_tokens", "first_token_ms"],
                name="run_sums",
            ),
            models.Index(
                fields=["started_at"], condition=models.Q(status=RunStatus.RUNNING), name="run_running"
            ),
            models.Index(fields=["started_at"], condition=~Q(request=None, answer=None), name="run_bodies"),
        ]

    def __str__(self) -> str:
        return self.run_id

    @property
    def is_chat(self) -> bool:
        return self.kind == RunKind.CHAT

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


class ToolCall(models.Model):
    """A call of a server's function in a run. The server's name remains when it is deleted."""

    class Status(models.TextChoices):
        OK = "ok", _("Ok")
        ERROR = "error", _("Error")
        CANCELLED = "cancelled", _("Cancelled")

    BODIES = ("arguments", "result")

    run = models.ForeignKey(Run, verbose_name=_("run"), on_delete=models.CASCADE, related_name="tool_calls")
    position = models.PositiveSmallIntegerField(_("position"))
    mcp_tool = outlived(MCPTool, models.SET_NULL, null=True, related_name="+")
    server = models.CharField(_("server"), max_length=255)
    function = models.CharField(_("function"), max_length=255)
    status = models.CharField(_("status"), max_length=16, choices=Status.choices)
    started_at = models.DateTimeField(_("started"), default=timezone.now)
    duration_ms = models.PositiveIntegerField(_("duration (ms)"), null=True)
    error = models.CharField(_("error"), max_length=64, blank=True)
    result_size = models.PositiveIntegerField(_("result size"), default=0)
    """Characters of the result that the model was given."""
    approval = models.BigIntegerField(_("approval"), null=True)
    """The number of the approval that this call asked for. Where a worker made the call after its run had
    ended, this row says what came of it: see `assistants.approvals.made_calls`.
    """
    arguments = models.JSONField(_("arguments"), null=True)
    result = models.TextField(_("result"), null=True)  # noqa: DJ001 - NULL: not stored

    class Meta:
        verbose_name = _("tool call")
        verbose_name_plural = _("tool calls")
        ordering = ["run_id", "position"]
        constraints = [models.UniqueConstraint(fields=["run", "position"], name="toolcall_run_position")]
        indexes = [
            models.Index(fields=["function", "server", "run"], name="toolcall_function_run"),
            models.Index(fields=["approval"], condition=Q(approval__isnull=False), name="toolcall_approval"),
            models.Index(
                fields=["started_at"], condition=~Q(arguments=None, result=None), name="toolcall_bodies"
            ),
            models.Index(
                fields=["started_at"],
                include=["status", "server", "function", "duration_ms"],
                name="toolcall_sums",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.server} {self.function}"
