"""The LLM service of an assistant: where it is and how to authenticate."""

from dataclasses import dataclass, field

from django.conf import settings

from assistants.models import Provider
from tools.secrets.encryption import Unreadable

OPENAI_BASE_URL = "https://api.openai.com/v1"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An LLM service. `base_url` has no slash at its end; if `api_key` is empty, none is sent."""

    base_url: str
    api_key: str | Unreadable = field(repr=False)
    model: str
    kind: str = "openai"
    """One of Provider.Kind. For others than "openai", an empty `base_url` means the vendor's own."""
    fetch_images: bool = False
    """Whether images are fetched for the service, also where its protocol allows addresses."""

    @property
    def takes_image_addresses(self) -> bool:
        return self.kind == Provider.Kind.OPENAI and not self.fetch_images


def endpoint(provider: Provider | None, model: str = "") -> Endpoint:
    """Returns the service of a provider, or without one that of the settings.

    Without a model, it is the provider's default model.
    """
    if provider is None:
        return Endpoint(
            settings.OPENAI_BASE_URL,
            settings.OPENAI_API_KEY,
            model or settings.OPENAI_MODEL,
            fetch_images=settings.OPENAI_FETCH_IMAGES,
        )
    base_url = provider.base_url.rstrip("/")
    if provider.kind == Provider.Kind.OPENAI:
        base_url = base_url or OPENAI_BASE_URL
    model = model or provider.default_model
    return Endpoint(base_url, provider.api_key, model, provider.kind, provider.fetch_images)
