from typing import Self

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Lower
from pgvector.django import VectorField

from apikeys.models import ApiKey, name_taken, no_nul
from assistants.validation import assistant_errors, provider_errors
from tools.encryption import EncryptedJSONField
from tools.models import MCPTool, validate_slug


class Provider(models.Model):
    """An LLM service. The one of the environment is no row: an assistant without a provider uses it."""

    class Kind(models.TextChoices):
        OPENAI = "openai", "OpenAI-compatible"

    name = models.CharField(max_length=255, validators=[no_nul])
    kind = models.CharField(max_length=16, choices=Kind.choices, default=Kind.OPENAI)
    base_url = models.CharField(max_length=2048, blank=True, validators=[no_nul])
    api_key = EncryptedJSONField(default=str, blank=True)
    default_model = models.CharField(max_length=255, validators=[no_nul])
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [models.UniqueConstraint(Lower("name"), name="provider_name_unique", **name_taken)]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if errors := provider_errors(base_url=self.base_url, api_key=self.api_key):
            raise ValidationError(errors)


class AssistantQuerySet(models.QuerySet["Assistant"]):
    def callable_by(self, key_id: int) -> Self:
        return self.filter(is_enabled=True, api_keys=key_id)


class Assistant(models.Model):
    """What a caller names as `model`: a prompt, an LLM and the tools it may use."""

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
        help_text="Empty: the one that OPENAI_API_KEY and OPENAI_BASE_URL name.",
    )
    model = models.CharField(
        max_length=255, blank=True, validators=[no_nul], help_text="Empty: the provider's default model."
    )
    parameters = models.JSONField(default=dict, blank=True)
    max_rounds = models.PositiveSmallIntegerField(
        default=10, validators=[MinValueValidator(1), MaxValueValidator(50)]
    )
    is_enabled = models.BooleanField("enabled", default=True)
    tools = models.ManyToManyField(MCPTool, through="AssistantTool", related_name="assistants", blank=True)
    api_keys = models.ManyToManyField(ApiKey, related_name="assistants", blank=True, verbose_name="API keys")
    embedding = VectorField(null=True, editable=False)
    embedder = models.CharField(max_length=128, blank=True, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = AssistantQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [models.UniqueConstraint(Lower("name"), name="assistant_name_unique", **name_taken)]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if errors := assistant_errors(slug=self.slug, parameters=self.parameters):
            raise ValidationError(errors)


class AssistantTool(models.Model):
    """A server that an assistant uses, whole or narrowed to some functions."""

    assistant = models.ForeignKey(Assistant, on_delete=models.CASCADE, related_name="assistant_tools")
    mcp_tool = models.ForeignKey(MCPTool, on_delete=models.CASCADE, verbose_name="MCP server")
    functions = models.JSONField(
        null=True, blank=True, help_text="Names of the functions to offer. Empty: all of them."
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["assistant", "mcp_tool"], name="assistanttool_unique")]

    def __str__(self) -> str:
        return f"{self.assistant_id} uses {self.mcp_tool_id}"
