"""Assistants, their aliases and servers."""

from typing import Any, Self

from django.contrib.postgres.expressions import ArraySubquery
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Coalesce, Collate, JSONObject, Lower
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from apikeys.models import ApiKey
from assistants.models.providers import Provider
from assistants.validation import assistant_errors, budget_problem, validate_alias
from core.names import NameField
from core.repaired_json import StoredJson
from core.validation import name_taken, no_nul
from tools.models import Embedded, MCPTool, ToolFunction, validate_slug


def _counted(rows: models.QuerySet[Any], group: str, count: models.Aggregate) -> Coalesce:
    """Returns a column that counts `rows`, which all belong to one `group`, without a join."""
    counted = rows.values(group).annotate(counted=count).values("counted")
    return Coalesce(models.Subquery(counted, output_field=models.IntegerField()), 0)


class AssistantQuerySet(models.QuerySet["Assistant"]):
    def callable_by(self, key_id: int) -> Self:
        """Returns enabled assistants that are granted to the key."""
        return self.filter(is_enabled=True, api_keys=key_id)

    def matching(self, text: str) -> Self:
        """Returns assistants with `text` in their name, slug or description, whatever its case."""
        names = models.Q(name__icontains=text) | models.Q(slug__icontains=text)
        return self.filter(names | models.Q(description__icontains=text))

    def without_vectors(self) -> Self:
        """Defers the columns that only routing reads."""
        return self.defer(*Embedded.VECTORS)

    def with_counts(self) -> Self:
        """Annotates `tool_count`, the tools that its model may be given, and `key_count`."""
        keys = Assistant.api_keys.through.objects.filter(assistant=models.OuterRef("pk")).order_by()
        return self.annotate(
            tool_count=_counted(AssistantTool.objects.counted(), "assistant", models.Sum("offered")),
            key_count=_counted(keys, "assistant", models.Count("pk")),
        )

    def with_related(self) -> Self:
        """Annotates what the API shows of other tables, which would be a query for each of them."""
        mine = {"assistant": models.OuterRef("pk")}
        aliases = Alias.objects.filter(**mine).order_by(Collate("name", "C"))  # as Python sorts
        keys = Assistant.api_keys.through.objects.filter(**mine).order_by("apikey_id")
        uses = AssistantTool.objects.filter(**mine, mcp_tool__deleted_at=None).order_by("mcp_tool_id")
        use = JSONObject(mcp_tool_id="mcp_tool_id", functions="functions", pinned="pinned")
        return self.annotate(
            alias_names=ArraySubquery(aliases.values("name")),
            key_ids=ArraySubquery(keys.values("apikey_id")),
            server_ids=ArraySubquery(uses.values("mcp_tool_id")),
            tool_uses=ArraySubquery(uses.annotate(use=use).values("use")),
        )

    def named(self, name: str) -> Self:
        """Returns the assistant whose slug or alias is `name`."""
        aliased = Alias.objects.filter(assistant=models.OuterRef("pk"), name=name)
        return self.filter(models.Q(slug=name) | models.Exists(aliased))


class Assistant(Embedded):
    """A prompt, an LLM and the tools that it may use. Callers name it as `model`."""

    class Rendering(models.TextChoices):
        NONE = "none", _("In the extension alone")
        REASONING = "reasoning", _("In reasoning_content too")
        DETAILS = "details", _("In the answer too, folded")

    class Selection(models.TextChoices):
        ALL = "all", _("All of its tools")
        RETRIEVED = "retrieved", _("Those that fit the request")
        SEARCH = "search", _("A search over them, and a way to call what it finds")

    name = NameField(_("name"), max_length=255, validators=[no_nul])
    slug = models.CharField(
        _("slug"),
        max_length=63,
        unique=True,
        validators=[validate_slug],
        help_text=_("The model that callers name."),
    )
    description = models.TextField(_("description"), blank=True, validators=[no_nul])
    system_prompt = models.TextField(_("system prompt"), blank=True, validators=[no_nul])
    provider = models.ForeignKey(
        Provider,
        verbose_name=_("provider"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="assistants",
        help_text=_("Empty: the one that OPENAI_API_KEY and OPENAI_BASE_URL name."),
    )
    model = models.CharField(
        _("model"),
        max_length=255,
        blank=True,
        validators=[no_nul],
        help_text=_("Empty: the provider's default model."),
    )
    fallback_provider = models.ForeignKey(
        Provider,
        verbose_name=_("fallback provider"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="fallback_of",
        help_text=_("Asked where the provider fails before it answers."),
    )
    fallback_model = models.CharField(
        _("fallback model"),
        max_length=255,
        blank=True,
        validators=[no_nul],
        help_text=_("Empty: its provider's default model."),
    )
    parameters = models.JSONField(_("parameters"), default=dict, blank=True, decoder=StoredJson)
    max_rounds = models.PositiveSmallIntegerField(
        _("rounds at most"), default=10, validators=[MinValueValidator(1), MaxValueValidator(50)]
    )
    selection = models.CharField(
        _("selection"),
        max_length=16,
        choices=Selection.choices,
        default=Selection.ALL,
        help_text=_("What the model is given of its tools."),
    )
    top_k = models.PositiveSmallIntegerField(
        _("tools selected at most"),
        default=10,
        validators=[MinValueValidator(1), MaxValueValidator(128)],
        help_text=_("How many tools a selection gives the model, beside the pinned ones."),
    )
    schema_token_budget = models.PositiveIntegerField(
        _("tokens for definitions"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("How many tokens the definitions of selected tools take at most. Empty: 4,000."),
    )
    learns = models.BooleanField(
        _("learns from use"),
        default=True,
        help_text=_(
            "A selection prefers tools that served similar requests to this assistant. Off: it forgets them."
        ),
    )
    store_bodies = models.BooleanField(
        _("store texts"),
        default=False,
        help_text=_("Keep what is said: answers, and the arguments and results of tool calls."),
    )
    masks_secrets = models.BooleanField(
        _("masks secrets"),
        default=False,
        db_default=False,
        help_text=_(
            "What looks like an API key, a token, a private key or a card number in the results of tools is"
            " masked before the model, the record and the caller see it."
        ),
    )
    rendering = models.CharField(
        _("rendering"),
        max_length=16,
        choices=Rendering.choices,
        default=Rendering.NONE,
        help_text=_("Where callers are shown the calls of its tools, unless a request says otherwise."),
    )
    is_enabled = models.BooleanField(_("enabled"), default=True)
    tools = models.ManyToManyField(
        MCPTool, verbose_name=_("tools"), through="AssistantTool", related_name="assistants", blank=True
    )
    api_keys = models.ManyToManyField(
        ApiKey, related_name="assistants", blank=True, verbose_name=_("API keys")
    )
    version = models.PositiveIntegerField(_("version"), default=1, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    objects = AssistantQuerySet.as_manager()

    class Meta:
        verbose_name = _("assistant")
        verbose_name_plural = _("assistants")
        ordering = ["-created_at", "-id"]
        constraints = [models.UniqueConstraint(Lower("name"), name="assistant_name_unique", **name_taken)]
        permissions = [("chat_assistant", gettext_noop("Can chat with assistants in the playground"))]

    def __str__(self) -> str:
        return self.name

    @property
    def aliases(self) -> list[str]:
        """Other names of the assistant, for clients whose model names are fixed."""
        return sorted(alias.name for alias in self.alias_rows.all())

    @property
    def uses(self) -> list["AssistantTool"]:
        """The links to its servers, without deleted ones. Prefetch `assistant_tools__mcp_tool` for it."""
        present = [link for link in self.assistant_tools.all() if link.mcp_tool.deleted_at is None]
        return sorted(present, key=lambda link: link.mcp_tool_id)

    @property
    def mcp_tool_ids(self) -> list[int]:
        return [link.mcp_tool_id for link in self.uses]

    @property
    def api_key_ids(self) -> list[int]:
        return sorted(key.pk for key in self.api_keys.all())

    def clean(self) -> None:
        errors = assistant_errors(slug=self.slug, parameters=self.parameters)
        if problem := budget_problem(self.selection, self.schema_token_budget):
            errors["schema_token_budget"] = problem
        if errors:
            raise ValidationError(errors)


class Alias(models.Model):
    """Another name of an assistant. `assistants.names` ensures that it is nobody's slug."""

    assistant = models.ForeignKey(
        Assistant, verbose_name=_("assistant"), on_delete=models.CASCADE, related_name="alias_rows"
    )
    name = models.CharField(_("name"), max_length=128, unique=True, validators=[validate_alias])

    class Meta:
        verbose_name = _("alias")
        verbose_name_plural = _("aliases")

    def __str__(self) -> str:
        return self.name


class AssistantToolQuerySet(models.QuerySet["AssistantTool"]):
    def counted(self) -> Self:
        """Returns the links of the assistant of an outer query, with `offered`: how many tools each gives."""
        functions = ToolFunction.objects.offered().filter(server=models.OuterRef("mcp_tool")).order_by()
        narrowed = models.Func("functions", function="jsonb_array_length", output_field=models.IntegerField())
        links = self.filter(assistant=models.OuterRef("pk"), mcp_tool__deleted_at=None).order_by()
        whole = _counted(functions, "server", models.Count("pk"))
        return links.annotate(
            offered=models.Case(models.When(functions__isnull=True, then=whole), default=narrowed)
        )


class AssistantTool(models.Model):
    """The link between an assistant and a server that it uses, whole or narrowed to some functions."""

    assistant = models.ForeignKey(
        Assistant, verbose_name=_("assistant"), on_delete=models.CASCADE, related_name="assistant_tools"
    )
    mcp_tool = models.ForeignKey(MCPTool, on_delete=models.CASCADE, verbose_name=_("MCP server"))
    functions = models.JSONField(
        _("functions"),
        null=True,
        blank=True,
        help_text=_("Names of the functions to offer. Empty: all of them."),
    )

    pinned = models.JSONField(
        _("pinned"),
        default=list,
        blank=True,
        help_text=_("Names of the functions that every selection keeps."),
    )

    objects = AssistantToolQuerySet.as_manager()

    class Meta:
        verbose_name = _("assistant tool")
        verbose_name_plural = _("assistant tools")
        constraints = [models.UniqueConstraint(fields=["assistant", "mcp_tool"], name="assistanttool_unique")]

    def __str__(self) -> str:
        return f"{self.assistant_id} → {self.mcp_tool_id}"
