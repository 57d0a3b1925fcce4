"""The model of a tool that an MCP server offers."""

from collections.abc import Iterator
from typing import Any, Self

from django.db import models
from django.db.models.fields.json import KT
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop
from pgvector.django import SparseVectorField

from core.repaired_json import StoredJson
from tools.choices import Approval
from tools.hints import suggested_labels, validate_labels
from tools.indexed import Embedded
from tools.models.servers import MCPTool

WORD_DIMENSIONS = 2**20


class ToolFunctionQuerySet(models.QuerySet["ToolFunction"]):
    def present(self) -> Self:
        """Tools that their server offered when it was last listed."""
        return self.filter(removed_at=None)

    def without_vectors(self) -> Self:
        """Defers the columns that only search reads: they are larger than all others together."""
        return self.defer("words", *Embedded.VECTORS)

    def enabled(self) -> Self:
        """Present tools that staff have not disabled."""
        return self.present().filter(is_enabled=True)

    def offered(self) -> Self:
        """Tools that a model may be given: present, enabled, and approved where the server is pinned."""
        # Not by a join: the server is read only where a definition has changed since its approval.
        trusted = MCPTool.objects.filter(approval=Approval.AUTO)
        approved = models.Q(approved_hash=models.F("definition_hash")) | models.Q(server__in=trusted)
        return self.enabled().filter(approved)

    def without_examples(self) -> Self:
        """Tools without example requests for their present definition, of servers that should have them."""
        wanted = self.offered().filter(server__is_enriched=True, server__deleted_at=None)
        written_for = Coalesce(KT("examples__definition_hash"), models.Value("", models.TextField()))
        return wanted.annotate(written_for=written_for).exclude(written_for=models.F("definition_hash"))


class ToolFunction(Embedded):
    """A tool that an MCP server offers, as last observed. Models know it by `public_name`.

    `overrides`: a `name` and `description` by staff, used instead of its own.
    `extra`: the other fields of its wire JSON, such as `icons` and `_meta`, which only MCP clients read.
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
        "annotations", "extra", "overrides", "definition_hash", "approved_hash", "is_enabled", "removed_at",
        "labels",
    )  # fmt: skip
    """The definition, and what decides whether it is offered, which caches read: see `core.feed`.

    Indexing writes the others.
    """

    server = models.ForeignKey(
        MCPTool, verbose_name=_("server"), on_delete=models.CASCADE, related_name="functions"
    )
    name = models.CharField(_("name"), max_length=255)
    public_name = models.CharField(_("public name"), max_length=64, unique=True, editable=False)
    title = models.CharField(_("title"), max_length=255, blank=True)
    description = models.TextField(_("description"), blank=True)
    input_schema = models.JSONField(_("input schema"), default=dict, decoder=StoredJson)
    output_schema = models.JSONField(_("output schema"), null=True, decoder=StoredJson)
    annotations = models.JSONField(_("annotations"), default=dict, decoder=StoredJson)
    extra = models.JSONField(_("other fields"), default=dict, editable=False, decoder=StoredJson)
    overrides = models.JSONField(_("overrides"), default=dict, blank=True)
    labels = models.JSONField(_("labels"), null=True, blank=True, validators=[validate_labels])
    """Of `Label`; None: those of the server."""
    examples = models.JSONField(_("examples"), null=True, editable=False)
    refusal = models.JSONField(_("refusal"), null=True, editable=False)
    definition_hash = models.CharField(_("definition hash"), max_length=64)
    approved_hash = models.CharField(_("approved hash"), max_length=64, blank=True)
    replaced = models.JSONField(_("replaced"), null=True, editable=False, decoder=StoredJson)
    replaced_at = models.DateTimeField(_("replaced at"), null=True, editable=False)
    is_enabled = models.BooleanField(_("enabled"), default=True)
    removed_at = models.DateTimeField(_("removed at"), null=True, editable=False)

    words = SparseVectorField(_("words"), dimensions=WORD_DIMENSIONS, null=True, editable=False)
    version = models.PositiveIntegerField(_("version"), default=1, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    objects = ToolFunctionQuerySet.as_manager()

    class Meta:
        verbose_name_plural = _("tools")
        verbose_name = _("tool")
        ordering = ["server_id", "name"]
        permissions = [("call_toolfunction", gettext_noop("Can call tools in the inspector"))]
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

    def withheld(self, server: MCPTool) -> Iterator[str]:
        """Yields codes of why `ToolFunctionQuerySet.offered` does not find it. `server`: its own."""
        if self.removed_at is not None:
            yield "function_removed"
        if not self.is_enabled:
            yield "function_disabled"
        if server.approval != Approval.AUTO and self.approved_hash != self.definition_hash:
            yield "not_approved"

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
    def suggested_labels(self) -> list[str]:
        """Labels that its annotations suggest, for staff to set."""
        return suggested_labels(self.annotations)

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
