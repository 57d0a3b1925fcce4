"""Keys of other products. Their secrets stay behind: a key here has a form of its own, with a checksum."""

from datetime import UTC, datetime

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from assistants.importers.draft import Draft
from assistants.importers.source import NO_PLACE, Source, shown

WHY = (
    "Its secret stays behind: a key begins with ak- here and ends in a checksum, and all else is refused,"
    " whatever its hash. The key of this name is a new one."
)
_LIMITS = {
    "rpm_limit": "requests_per_minute", "tpm_limit": "tokens_per_minute",
    "max_parallel_requests": "concurrent_requests",
}  # fmt: skip
_MONEY = "Limits are in requests and tokens here, tokens a month among them, not in money."
_HARMLESS = (
    "token", "token_id", "key_name", "spend", "created_at", "updated_at", "created_by", "updated_by",
    "last_active", "user_id", "team_id", "organization_id", "object_permission_id", "budget_reset_at",
)  # fmt: skip


def add_key(draft: Draft, name: str, path: str, *, assistants: list[str], **fields: object) -> None:
    """Adds a key that may call these assistants, by slug, and says that its secret stays behind."""
    key = draft.add_key(name, **fields)
    for assistant in draft.assistants:
        if assistant.slug in assistants:
            assistant.api_keys = sorted({*assistant.api_keys, key.name})
    draft.leave_out(path, WHY)
    if not assistants:
        draft.steps.append(
            f"API key {key.name}: let it call what its user needs: it may call no assistant yet."
        )


def add_litellm_key(key: Source) -> None:
    """Adds a virtual key of LiteLLM, of which only the SHA-256 is known."""
    draft, name = key.draft, key.text("key_alias", "key_name", default="LiteLLM key")
    expires_at, is_over = _expiry(key.text("expires"))
    if is_over:
        draft.leave_out(key.path, "It has expired.")
        return
    models = key.texts("models")
    is_for_all = not models or "all-proxy-models" in models or "all-team-models" in models
    granted = [each.slug for each in draft.assistants if is_for_all]
    for model in [] if is_for_all else models:
        if assistant := draft.named(model):
            granted.append(assistant.slug)
        else:
            draft.leave_out(key.at("models"), f"No model {shown(model)} came over.")
    limits = {ours: int(limit) for theirs, ours in _LIMITS.items() if (limit := key.number(theirs))}
    add_key(
        draft, name, key.path, assistants=granted, expires_at=expires_at,
        is_disabled=key.flag("blocked"), **limits,
    )  # fmt: skip
    key.skip(*_HARMLESS)
    key.finish(NO_PLACE, max_budget=_MONEY, budget_duration=_MONEY, model_max_budget=_MONEY)


def _expiry(text: str) -> tuple[datetime | None, bool]:
    """Returns when a key expires, and whether it has."""
    if not text:
        return None, False
    try:
        expires_at = parse_datetime(text)
    except ValueError:
        expires_at = None
    if expires_at is None:
        return None, False
    expires_at = expires_at if expires_at.tzinfo else expires_at.replace(tzinfo=UTC)
    return expires_at, expires_at <= timezone.now()
