"""Assistants, their providers, aliases and servers."""

from typing import Any, Self

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Coalesce, Lower

from apikeys.models import ApiKey
from assistants.validation import assistant_errors, budget_problem, provider_errors, validate_alias
from core.validation import name_taken, no_nul
from tools.models import Embedded, MCPTool, ToolFunction, validate_slug
from tools.outbound.egress import require_allowed
from tools.secrets.encryption import EncryptedJSONField


class Provider(models.Model):
    """An LLM service. The one of the settings has no row: an assistant without a provider uses it."""

    class Kind(models.TextChoices):
        OPENAI = "openai", "OpenAI-compatible"
        ANTHROPIC = "anthropic", "Anthropic"
        BEDROCK = "bedrock", "Amazon Bedrock"
        GEMINI = "gemini", "Google Gemini"
        OLLAMA = "ollama", "Ollama"

    name = models.CharField(max_length=255, validators=[no_nul])
    kind = models.CharField(max_length=16, choices=Kind.choices, default=Kind.OPENAI)
    base_url = models.CharField(max_length=2048, blank=True, validators=[no_nul])
    api_key = EncryptedJSONField(default=str, blank=True)
    default_model = models.CharField(max_length=255, validators=[no_nul])
    fetch_images = models.BooleanField(
        default=False,
        db_default=False,
        help_text="For services that take images as bytes alone. Else an OpenAI-compatible one gets their "
        "https addresses. For services of the other kinds they are always fetched.",
    )
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [models.UniqueConstraint(Lower("name"), name="provider_name_unique", **name_taken)]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        errors = provider_errors(base_url=self.base_url, api_key=self.api_key)
        if self.base_url and "base_url" not in errors:
            try:
                require_allowed(self.base_url)
            except ValidationError as refusal:
                errors["base_url"] = " ".join(refusal.messages)
        if errors:
            raise ValidationError(errors)


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

    def named(self, name: str) -> Self:
        """Returns the assistant whose slug or alias is `name`."""
        aliased = Alias.objects.filter(assistant=models.OuterRef("pk"), name=name)
        return self.filter(models.Q(slug=name) | models.Exists(aliased))


class Assistant(Embedded):
    """A prompt, an LLM and the tools that it may use. Callers name it as `model`."""

    class Rendering(models.TextChoices):
        NONE = "none", "In the extension alone"
        REASONING = "reasoning", "In reasoning_content too"
        DETAILS = "details", "In the answer too, folded"

    class Selection(models.TextChoices):
        ALL = "all", "All of its tools"
        RETRIEVED = "retrieved", "Those that fit the request"
        SEARCH = "search", "A search over them, and a way to call what it finds"

    name = models.CharField(max_length=255, validators=[no_nul])
    slug = models.CharField(
        max_length=63, unique=True, validators=[validate_slug], help_text="The model that callers name."
    )
    description = models.TextField(blank=True, validators=[no_nul])
    system_prompt = models.TextField(blank=True, validators=[no_nul])
    provider = models.ForeignKey(
        Provider,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="assistants",
        help_text="Empty: the one that OPENAI_API_KEY and OPENAI_BASE_URL name.",
    )
    model = models.CharField(
        max_length=255, blank=True, validators=[no_nul], help_text="Empty: the provider's default model."
    )
    fallback_provider = models.ForeignKey(
        Provider,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="fallback_of",
        help_text="Asked where the provider fails before it answers.",
    )
    fallback_model = models.CharField(
        max_length=255, blank=True, validators=[no_nul], help_text="Empty: its provider's default model."
    )
    parameters = models.JSONField(default=dict, blank=True)
    max_rounds = models.PositiveSmallIntegerField(
        default=10, validators=[MinValueValidator(1), MaxValueValidator(50)]
    )
    selection = models.CharField(
        max_length=16,
        choices=Selection.choices,
        default=Selection.ALL,
        help_text="What the model is given of its tools.",
    )
    top_k = models.PositiveSmallIntegerField(
        default=10,
        validators=[MinValueValidator(1), MaxValueValidator(128)],
        help_text="How many tools a selection gives the model, beside the pinned ones.",
    )
    schema_token_budget = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="How many tokens the definitions of selected tools take at most. Empty: 4,000.",
    )
    learns = models.BooleanField(
        default=True,
        help_text=(
            "A selection prefers tools that served similar requests to this assistant. Off: it forgets them."
        ),
    )
    store_bodies = models.BooleanField(
        default=False, help_text="Keep what is said: answers, and the arguments and results of tool calls."
    )
    rendering = models.CharField(
        max_length=16,
        choices=Rendering.choices,
        default=Rendering.NONE,
        help_text="Where callers are shown the calls of its tools, unless a request says otherwise.",
    )
    is_enabled = models.BooleanField("enabled", default=True)
    tools = models.ManyToManyField(MCPTool, through="AssistantTool", related_name="assistants", blank=True)
    api_keys = models.ManyToManyField(ApiKey, related_name="assistants", blank=True, verbose_name="API keys")
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = AssistantQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [models.UniqueConstraint(Lower("name"), name="assistant_name_unique", **name_taken)]
        permissions = [("chat_assistant", "Can chat with assistants in the playground")]

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

    assistant = models.ForeignKey(Assistant, on_delete=models.CASCADE, related_name="alias_rows")
    name = models.CharField(max_length=128, unique=True, validators=[validate_alias])

    class Meta:
        verbose_name_plural = "aliases"

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

    assistant = models.ForeignKey(Assistant, on_delete=models.CASCADE, related_name="assistant_tools")
    mcp_tool = models.ForeignKey(MCPTool, on_delete=models.CASCADE, verbose_name="MCP server")
    functions = models.JSONField(
        null=True, blank=True, help_text="Names of the functions to offer. Empty: all of them."
    )

    pinned = models.JSONField(
        default=list, blank=True, help_text="Names of the functions that every selection keeps."
    )

    objects = AssistantToolQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["assistant", "mcp_tool"], name="assistanttool_unique")]

    def __str__(self) -> str:
        return f"{self.assistant_id} uses {self.mcp_tool_id}"
