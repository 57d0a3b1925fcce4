"""Models of MCP servers (`MCPTool`), their tools (`ToolFunction`) and capabilities (`Offer`)."""

from typing import Any, Self

from django.contrib.postgres.expressions import ArraySubquery
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models.fields.json import KT
from django.db.models.functions import Coalesce, JSONObject, Lower
from pgvector.django import SparseVectorField

from core.validation import name_taken, no_nul
from tools import references
from tools.choices import Approval, ConnectionType, Status
from tools.indexed import Embedded, EmbedderFailure, FunctionUse, WordCount
from tools.names import RESERVED_SLUGS
from tools.offers import Offer
from tools.secrets.encryption import EncryptedArgumentsField, EncryptedJSONField, EncryptedURLField
from tools.validation import LONGEST_DESCRIPTION, setting_errors

__all__ = [
    "Approval",
    "ConnectionType",
    "Embedded",
    "EmbedderFailure",
    "FunctionUse",
    "MCPTool",
    "MCPToolQuerySet",
    "Offer",
    "Status",
    "ToolFunction",
    "ToolFunctionQuerySet",
    "WordCount",
    "validate_slug",
]
validate_slug = RegexValidator(
    r"\A[a-z][a-z0-9-]{0,62}\Z", "Use lower-case letters, digits and hyphens, starting with a letter."
)
WORD_DIMENSIONS = 2**20
_MOST_WARNINGS = 20


class MCPToolQuerySet(models.QuerySet["MCPTool"]):
    def present(self) -> Self:
        """Servers that are not marked as deleted."""
        return self.filter(deleted_at=None)

    def without_vectors(self) -> Self:
        """Defers the columns that only search reads: vectors are larger than all others together."""
        return self.defer(*Embedded.VECTORS)

    def with_function_count(self) -> Self:
        """Annotates `function_count`, the number of tools that each server offers now, and `refused_tools`.

        These are `{name, model}` of those that LLM services refuse.
        """
        # A subquery and not a join: a join would group by every column of the server, secrets included.
        functions = ToolFunction.objects.present().filter(server=models.OuterRef("pk")).order_by()
        count = functions.values("server").annotate(count=models.Count("pk")).values("count")
        refused = functions.annotate(of=KT("refusal__definition_hash")).filter(of=models.F("definition_hash"))
        told = JSONObject(name="name", model=KT("refusal__model"))
        return self.annotate(
            function_count=Coalesce(models.Subquery(count), 0),
            refused_tools=ArraySubquery(
                refused.annotate(told=told).order_by("name").values("told")[:_MOST_WARNINGS]
            ),
        )

    def wanted(self) -> Self:
        """Servers that should be running."""
        return self.present().filter(is_enabled=True)


class MCPTool(Embedded):
    """A registered MCP server: how to reach it, and whether it should run. Only `tools.actions` writes it.

    `generation` counts the changes after which the server has to be started anew. The connector derives
    `status`, `error` and `last_healthy_at` from its observations.
    """

    FEED_COLUMNS = (
        "name", "slug", "is_enabled", "replicas", "generation", "restart_requested_at", "deleted_at",
        "approval", "call_timeout_s",
    )  # fmt: skip
    """What supervisors act on and caches read: see `core.feed`. A status changes along with an Instance."""

    name = models.CharField(max_length=255, validators=[no_nul])
    slug = models.CharField(
        max_length=63,
        unique=True,
        blank=True,
        validators=[validate_slug],
        help_text="Empty: made of the name.",
    )
    description = models.TextField(blank=True, validators=[no_nul])
    connection_type = models.CharField(max_length=16, choices=ConnectionType.choices)
    command = models.CharField(max_length=1024, blank=True, validators=[no_nul])
    args = EncryptedArgumentsField(default=list, blank=True)
    env = EncryptedJSONField(default=dict, blank=True)
    url = EncryptedURLField(default=str, blank=True)
    headers = EncryptedJSONField(default=dict, blank=True)
    start_timeout_s = models.FloatField(
        default=30, validators=[MinValueValidator(1), MaxValueValidator(300)], help_text="Seconds."
    )
    call_timeout_s = models.FloatField(
        default=60, validators=[MinValueValidator(1), MaxValueValidator(600)], help_text="Seconds."
    )
    approval = models.CharField(max_length=8, choices=Approval.choices, default=Approval.AUTO)

    is_enriched = models.BooleanField(
        "enriched",
        default=False,
        help_text="Let the provider's model write example requests for its tools, to find them by.",
    )
    is_enabled = models.BooleanField("enabled", default=True)
    replicas = models.PositiveSmallIntegerField(
        default=1, validators=[MinValueValidator(1), MaxValueValidator(16)]
    )
    generation = models.PositiveBigIntegerField(default=1, editable=False)
    restart_requested_at = models.DateTimeField(null=True, editable=False)
    deleted_at = models.DateTimeField(null=True, editable=False)

    status = models.CharField(
        max_length=16, choices=Status.choices, default=Status.STOPPED, editable=False, db_index=True
    )
    error = models.JSONField(null=True, editable=False)
    last_healthy_at = models.DateTimeField(null=True, editable=False)

    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = MCPToolQuerySet.as_manager()

    class Meta:
        verbose_name = "MCP server"
        ordering = ["-created_at", "-id"]
        permissions = [("operate_mcptool", "Can start, stop, restart and refresh MCP servers")]
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
        """What is wrong although it runs. Rows of `with_function_count` have them."""
        return [
            f"The model {each['model']} refuses the definition of the tool {each['name']}: it is left out."
            for each in getattr(self, "refused_tools", ())
        ]

    @property
    def address(self) -> str:
        """The URL with its references to variables filled, as far as these have values."""
        return references.fill(self.url, self.env)[0]

    @property
    def error_message(self) -> str | None:
        return self.error["message"] if self.error else None


class ToolFunctionQuerySet(models.QuerySet["ToolFunction"]):
    def present(self) -> Self:
        """Tools that their server offered when it was last listed."""
        return self.filter(removed_at=None)

    def without_vectors(self) -> Self:
        """Defers the columns that only search reads: they are larger than all others together."""
        return self.defer("words", *Embedded.VECTORS)

    def offered(self) -> Self:
        """Tools that a model may be given: present, enabled, and approved where the server is pinned."""
        # Not by a join: the server is read only where a definition has changed since its approval.
        trusted = MCPTool.objects.filter(approval=Approval.AUTO)
        approved = models.Q(approved_hash=models.F("definition_hash")) | models.Q(server__in=trusted)
        return self.filter(approved, removed_at=None, is_enabled=True)

    def without_examples(self) -> Self:
        """Tools without example requests for their present definition, of servers that should have them."""
        wanted = self.offered().filter(server__is_enriched=True, server__deleted_at=None)
        written_for = Coalesce(KT("examples__definition_hash"), models.Value("", models.TextField()))
        return wanted.annotate(written_for=written_for).exclude(written_for=models.F("definition_hash"))


class ToolFunction(Embedded):
    """A tool that an MCP server offers, as last observed. Models know it by `public_name`.

    `overrides`: a `name` and `description` by staff, used instead of its own.
    `replaced`: the definition (see the property `definition`) before the present one, which replaced it at
    `replaced_at`; for a pinned server the definition that was approved last.
    `examples`: `{requests: [..], model, definition_hash}`, written by a model for the definition with this
    hash, or None.
    `refusal`: `{model, definition_hash, at}`, where the LLM service of a model refused the definition with
    this hash, or None.
    `words`: BM25 weights by hashed word, from `tools.search.bm25`.
    """

    FEED_COLUMNS = (
        "server_id", "name", "public_name", "title", "description", "input_schema", "output_schema",
        "annotations", "overrides", "definition_hash", "approved_hash", "is_enabled", "removed_at",
    )  # fmt: skip
    """The definition, and what decides whether it is offered, which caches read: see `core.feed`.

    Indexing writes the others.
    """

    server = models.ForeignKey(MCPTool, on_delete=models.CASCADE, related_name="functions")
    name = models.CharField(max_length=255)
    public_name = models.CharField(max_length=64, unique=True, editable=False)
    title = models.CharField(max_length=255, blank=True)
    description = models.TextField(blank=True)
    input_schema = models.JSONField(default=dict)
    output_schema = models.JSONField(null=True)
    annotations = models.JSONField(default=dict)
    overrides = models.JSONField(default=dict, blank=True)
    examples = models.JSONField(null=True, editable=False)
    refusal = models.JSONField(null=True, editable=False)
    definition_hash = models.CharField(max_length=64)
    approved_hash = models.CharField(max_length=64, blank=True)
    replaced = models.JSONField(null=True, editable=False)
    replaced_at = models.DateTimeField(null=True, editable=False)
    is_enabled = models.BooleanField("enabled", default=True)
    removed_at = models.DateTimeField(null=True, editable=False)

    words = SparseVectorField(dimensions=WORD_DIMENSIONS, null=True, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ToolFunctionQuerySet.as_manager()

    class Meta:
        verbose_name = "tool"
        ordering = ["server_id", "name"]
        permissions = [("call_toolfunction", "Can call tools in the inspector")]
        constraints = [models.UniqueConstraint(fields=["server", "name"], name="toolfunction_server_name")]

    def __str__(self) -> str:
        return self.public_name

    @property
    def definition(self) -> dict[str, Any]:
        """The parts, besides the name, that a model or a policy reads."""
        fields = ("title", "description", "input_schema", "output_schema", "annotations")
        return {name: getattr(self, name) for name in fields}

    @property
    def approval(self) -> str:
        """`approved`, `changed` since it was approved, or `new`."""
        if self.approved_hash == self.definition_hash:
            return "approved"
        return "changed" if self.approved_hash else "new"

    @property
    def generated_examples(self) -> dict[str, Any] | None:
        """`{requests, model, generated}` for the present definition; None if there are none."""
        if not self.examples or self.examples["definition_hash"] != self.definition_hash:
            return None
        if not self.examples["requests"]:  # the model was asked, and wrote none
            return None
        return {"requests": self.examples["requests"], "model": self.examples["model"], "generated": True}

    @property
    def present_refusal(self) -> dict[str, Any] | None:
        """`{model, at}` where an LLM service refuses the present definition; else None."""
        if not self.refusal or self.refusal["definition_hash"] != self.definition_hash:
            return None
        return {"model": self.refusal["model"], "at": self.refusal["at"]}

    @property
    def change(self) -> dict[str, Any] | None:
        """`{before, after, at}`: the differing parts of the definition and of the one that it replaced."""
        if self.replaced is None:
            return None
        after = self.definition
        differing = [name for name in after if self.replaced.get(name) != after[name]]
        return {
            "before": {name: self.replaced.get(name) for name in differing},
            "after": {name: after[name] for name in differing},
            "at": self.replaced_at,
        }
