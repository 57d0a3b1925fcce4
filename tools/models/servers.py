"""The model of an MCP server."""

from collections.abc import Mapping
from typing import Any, Self

from django.contrib.postgres.expressions import ArraySubquery
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models.fields.json import KT
from django.db.models.functions import Coalesce, JSONObject, Lower
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from core.message import restored
from core.names import NameField
from core.repaired_json import StoredJson
from core.validation import name_taken, no_nul
from tools import references
from tools.choices import Approval, ConnectionType, Status
from tools.hints import validate_labels
from tools.indexed import Embedded
from tools.names import RESERVED_SLUGS
from tools.secrets.encryption import (
    EncryptedArgumentsField,
    EncryptedJSONField,
    EncryptedURLField,
    Unreadable,
)
from tools.validation import LONGEST_DESCRIPTION, setting_errors
from tools.warnings import warnings_of

validate_slug = RegexValidator(
    r"\A[a-z][a-z0-9-]{0,62}\Z", "Use lower-case letters, digits and hyphens, starting with a letter."
)
_MOST_WARNINGS = 20


def _functions() -> Any:
    """Returns the tools that a server offers, for a subquery of a query of servers."""
    # By the reverse relation: the module of the tools imports this one.
    functions: Any = MCPTool._meta.get_field("functions").related_model
    return functions.objects.present().filter(server=models.OuterRef("pk")).order_by()


class MCPToolQuerySet(models.QuerySet["MCPTool"]):
    def present(self) -> Self:
        """Servers that are not marked as deleted."""
        return self.filter(deleted_at=None)

    def without_vectors(self) -> Self:
        """Defers the columns that only search reads: vectors are larger than all others together."""
        return self.defer(*Embedded.VECTORS)

    def with_function_count(self) -> Self:
        """Annotates `function_count`, the number of tools that each server offers now."""
        # A subquery and not a join: a join would group by every column of the server, secrets included.
        count = _functions().values("server").annotate(count=models.Count("pk")).values("count")
        return self.annotate(function_count=Coalesce(models.Subquery(count), 0))

    def with_refused_tools(self) -> Self:
        """Annotates `refused_tools`: `{name, model}` of the tools that LLM services refuse."""
        of = _functions().annotate(of=KT("refusal__definition_hash")).filter(of=models.F("definition_hash"))
        told = JSONObject(name="name", model=KT("refusal__model"))
        refused = of.annotate(told=told).order_by("name").values("told")[:_MOST_WARNINGS]
        return self.annotate(refused_tools=ArraySubquery(refused))

    def wanted(self) -> Self:
        """Servers that should be running."""
        return self.present().filter(is_enabled=True)


class MCPTool(Embedded):
    """A registered MCP server: how to reach it, and whether it should run. Only `tools.actions` writes it.

    `generation` counts the changes after which the server has to be started anew. The connector derives
    `status`, `error` and `last_healthy_at` from its observations.

    `announced`: `{capabilities, serverInfo, instructions}`, as far as the server says this of itself.
    `asked_back_at`: when it was first seen to ask its client back during a call, as `asks_back` says it does.
    """

    FEED_COLUMNS = (
        "name", "slug", "is_enabled", "replicas", "generation", "restart_requested_at", "deleted_at",
        "approval", "call_timeout_s", "announced", "asks_back", "asked_back_at", "labels",
    )  # fmt: skip
    """What supervisors act on and caches read: see `core.feed`. A status changes along with an Instance."""

    name = NameField(_("name"), max_length=255, validators=[no_nul])
    slug = models.CharField(
        _("slug"),
        max_length=63,
        unique=True,
        blank=True,
        validators=[validate_slug],
        help_text=_("Empty: made of the name."),
    )
    description = models.TextField(_("description"), blank=True, validators=[no_nul])
    connection_type = models.CharField(_("connection type"), max_length=16, choices=ConnectionType.choices)
    command = models.CharField(_("command"), max_length=1024, blank=True, validators=[no_nul])
    args = EncryptedArgumentsField(_("arguments"), default=list, blank=True)
    env = EncryptedJSONField(_("variables"), default=dict, blank=True)
    url = EncryptedURLField(_("URL"), default=str, blank=True)
    headers = EncryptedJSONField(_("headers"), default=dict, blank=True)
    start_timeout_s = models.FloatField(
        _("time-out of a start (seconds)"),
        default=30,
        validators=[MinValueValidator(1), MaxValueValidator(300)],
        help_text=_("Seconds."),
    )
    call_timeout_s = models.FloatField(
        _("time-out of a call (seconds)"),
        default=60,
        validators=[MinValueValidator(1), MaxValueValidator(600)],
        help_text=_("Seconds."),
    )
    approval = models.CharField(_("approval"), max_length=8, choices=Approval.choices, default=Approval.AUTO)

    labels = models.JSONField(
        _("labels"), default=list, db_default=[], blank=True, validators=[validate_labels]
    )
    """Of `Label`: what its tools do, unless a tool has labels of its own."""
    is_enriched = models.BooleanField(
        _("write example requests"),
        default=False,
        help_text=_("Let the provider's model write example requests for its tools, to find them by."),
    )
    asks_back = models.BooleanField(
        _("asks back"),
        default=False,
        help_text=_("It asks its client back while a tool runs: each MCP client gets a session of its own."),
    )
    is_enabled = models.BooleanField(_("enabled"), default=True)
    replicas = models.PositiveSmallIntegerField(
        _("replicas"), default=1, validators=[MinValueValidator(1), MaxValueValidator(16)]
    )
    generation = models.PositiveBigIntegerField(_("generation"), default=1, editable=False)
    restart_requested_at = models.DateTimeField(_("restart requested at"), null=True, editable=False)
    deleted_at = models.DateTimeField(_("deleted at"), null=True, editable=False)

    status = models.CharField(
        _("status"),
        max_length=16,
        choices=Status.choices,
        default=Status.STOPPED,
        editable=False,
        db_index=True,
    )
    error = models.JSONField(_("error"), null=True, editable=False)
    announced = models.JSONField(_("announced"), default=dict, editable=False, decoder=StoredJson)
    asked_back_at = models.DateTimeField(_("asked back at"), null=True, editable=False)
    last_healthy_at = models.DateTimeField(_("last healthy"), null=True, editable=False)

    version = models.PositiveIntegerField(_("version"), default=1, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    objects = MCPToolQuerySet.as_manager()

    class Meta:
        verbose_name_plural = _("MCP servers")
        verbose_name = _("MCP server")
        ordering = ["-created_at", "-id"]
        permissions = [("operate_mcptool", gettext_noop("Can start, stop, restart and refresh MCP servers"))]
        constraints = [
            models.UniqueConstraint(
                Lower("name"), condition=models.Q(deleted_at=None), name="mcptool_name_unique", **name_taken
            )
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        settings = {name: getattr(self, name) for name in ("command", "args", "env", "url", "headers")}
        errors = setting_errors(is_local=self.connection_type == ConnectionType.STDIO, **settings)
        if len(self.description) > LONGEST_DESCRIPTION:
            errors["description"] = f"At most {LONGEST_DESCRIPTION:,} characters."
        if self.slug in RESERVED_SLUGS:
            errors["slug"] = f"'{self.slug}' is reserved: choose another slug."
        if errors:
            raise ValidationError(errors)

    @classmethod
    def secret_fields(cls) -> dict[str, EncryptedJSONField]:
        """Returns the fields that people see masked, by name."""
        return {field.name: field for field in cls._meta.fields if isinstance(field, EncryptedJSONField)}

    @property
    def warnings(self) -> list[str]:
        return warnings_of(self)

    @property
    def variables(self) -> Mapping[str, str]:
        """What references are filled from: nothing where no key decrypts the variables."""
        return {} if isinstance(self.env, Unreadable) else self.env

    @property
    def address(self) -> Any:
        """The URL with its references to variables filled, as far as these have values; or Unreadable."""
        return self.url if isinstance(self.url, Unreadable) else references.fill(self.url, self.variables)[0]

    @property
    def error_message(self) -> str | None:
        return restored(self.error) if self.error else None
