"""What calls and results pass beside the rules: secrets in results are masked, a service may filter both."""

from assistants.filtering.external import About, FilterRefused, filter_call, filter_result, lifespan
from assistants.filtering.results import TOO_LONG, passed_on, read_without_secrets, without_secrets
from assistants.filtering.secret_texts import mask_secrets

__all__ = [
    "TOO_LONG",
    "About",
    "FilterRefused",
    "filter_call",
    "filter_result",
    "lifespan",
    "mask_secrets",
    "passed_on",
    "read_without_secrets",
    "without_secrets",
]
