"""What calls and results pass beside the rules: secrets in results are masked, a service may filter both."""

from assistants.filtering.external import About, FilterRefused, filter_call, filter_result, lifespan
from assistants.filtering.results import passed_on, without_secrets
from assistants.filtering.secret_texts import mask_secrets

__all__ = [
    "About",
    "FilterRefused",
    "filter_call",
    "filter_result",
    "lifespan",
    "mask_secrets",
    "passed_on",
    "without_secrets",
]
