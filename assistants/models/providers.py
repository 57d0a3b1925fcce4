"""The model of an LLM service."""

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from assistants.validation import provider_errors
from core.names import NameField
from core.validation import name_taken, no_nul
from tools.outbound.egress import require_allowed
from tools.secrets.encryption import EncryptedJSONField, Unreadable


class Provider(models.Model):
    """An LLM service. The one of the settings has no row: an assistant without a provider uses it."""

    class Kind(models.TextChoices):
        OPENAI = "openai", _("OpenAI-compatible")
        ANTHROPIC = "anthropic", _("Anthropic")
        BEDROCK = "bedrock", _("Amazon Bedrock")
        GEMINI = "gemini", _("Google Gemini")
        OLLAMA = "ollama", _("Ollama")

    name = NameField(_("name"), max_length=255, validators=[no_nul])
    kind = models.CharField(_("kind"), max_length=16, choices=Kind.choices, default=Kind.OPENAI)
    base_url = models.CharField(_("base URL"), max_length=2048, blank=True, validators=[no_nul])
    api_key = EncryptedJSONField(_("API key"), default=str, blank=True)
    default_model = models.CharField(_("default model"), max_length=255, validators=[no_nul])
    fetch_images = models.BooleanField(
        _("fetch images for it"),
        default=False,
        db_default=False,
        help_text=_(
            "For services that take images as bytes alone. Else an OpenAI-compatible one gets their "
            "https addresses. For services of the other kinds they are always fetched."
        ),
    )
    version = models.PositiveIntegerField(_("version"), default=1, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    class Meta:
        verbose_name = _("provider")
        verbose_name_plural = _("providers")
        ordering = ["-created_at", "-id"]
        constraints = [models.UniqueConstraint(Lower("name"), name="provider_name_unique", **name_taken)]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        # A key that cannot be read was checked when it was entered.
        api_key = "" if isinstance(self.api_key, Unreadable) else self.api_key
        errors = provider_errors(base_url=self.base_url, api_key=api_key)
        if self.base_url and "base_url" not in errors:
            try:
                require_allowed(self.base_url)
            except ValidationError as refusal:
                errors["base_url"] = " ".join(refusal.messages)
        if errors:
            raise ValidationError(errors)
