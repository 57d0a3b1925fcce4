"""An LLM service of another product becomes a provider, and its settings parameters of an assistant."""

from typing import Any

from django.core.exceptions import ValidationError

from assistants.importers.draft import Draft
from assistants.importers.source import Source
from assistants.importers.variables import filled
from assistants.validation import assistant_errors, provider_errors
from tools.outbound.egress import require_allowed

_OWN = ("temperature", "top_p", "max_tokens", "reasoning_effort")
_EXTRA = ("frequency_penalty", "presence_penalty", "seed", "stop")


def add_provider(
    draft: Draft, title: str, path: str, *, kind: str, base_url: str, api_key: str, default_model: str
) -> str:
    """Adds a provider and returns its name. Returns "" where it cannot be one; it is listed then."""
    address, unset = filled(base_url, draft.environ)
    if unset:
        draft.leave_out(
            path, f"{unset[0]} is not set, so that its address is unknown: set it for the import."
        )
        return ""
    errors = provider_errors(base_url=address, api_key=api_key)
    if address and not errors:
        try:
            require_allowed(address)
        except ValidationError as refusal:
            errors["base_url"] = f"{' '.join(refusal.messages)} Change that, and import the file again."
    if errors:
        draft.leave_out(path, f"Its provider is not allowed here: {' '.join(errors.values())}")
        return ""
    return draft.add_provider(
        title, kind=kind, base_url=address.rstrip("/"), api_key=api_key, default_model=default_model
    ).name


def parameters(source: Source) -> dict[str, Any]:
    """Returns the parameters of a model that other products have by the same names."""
    found: dict[str, Any] = {}
    for name in (*_OWN, *_EXTRA):
        if name in source and (value := source.value(name)) not in (None, "", []):
            (found if name in _OWN else found.setdefault("extra", {}))[name] = value
    if problem := assistant_errors(slug="", parameters=found).get("parameters"):
        source.draft.leave_out(source.path, f"Its parameters: {problem}")
        return {}
    return found
