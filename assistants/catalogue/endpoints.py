"""The address of an assistant's LLM service."""

from dataclasses import dataclass, field

from django.conf import settings

from assistants.models import Provider

OPENAI_BASE_URL = "https://api.openai.com/v1"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an assistant's LLM is. `base_url` has no slash at its end; without `api_key` none is sent."""

    base_url: str
    api_key: str = field(repr=False)
    model: str
    kind: str = "openai"
    """One of Provider.Kind; of the others than this, `base_url` may be empty."""


def endpoint(provider: Provider | None, model: str = "") -> Endpoint:
    """Without a provider, the one of the environment; without a model, the provider's default."""
    if provider is None:
        return Endpoint(settings.OPENAI_BASE_URL, settings.OPENAI_API_KEY, model or settings.OPENAI_MODEL)
    base_url = provider.base_url.rstrip("/")
    if provider.kind == Provider.Kind.OPENAI:
        base_url = base_url or OPENAI_BASE_URL
    return Endpoint(base_url, provider.api_key, model or provider.default_model, provider.kind)
