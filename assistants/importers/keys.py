"""Keys of other products. Their secrets stay behind: a key here has a form of its own, with a checksum."""

from collections.abc import Collection
from datetime import UTC, datetime

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from assistants.configuration import InvalidConfiguration
from assistants.importers.draft import Draft
from assistants.importers.source import NO_PLACE, Source
from core.printable import shown

WHY = (
    "Its secret stays behind: a key begins with ak- here and ends in a checksum, and all else is refused,"
    " whatever its hash. The key of this name is a new one."
)
_LIMITS = {
    "rpm_limit": "requests_per_minute", "tpm_limit": "tokens_per_minute",
    "max_parallel_requests": "concurrent_requests",
}  # fmt: skip
_MOST = 2**31 - 1
"""What a limit is at most here. LiteLLM stores larger ones, which hardly limit."""
_MONEY = "Limits are in requests and tokens here, tokens a month among them, not in money."
_HARMLESS = (
    "token", "token_id", "key_name", "spend", "created_at", "updated_at", "created_by", "updated_by",
    "last_active", "user_id", "team_id", "organization_id", "object_permission_id", "budget_reset_at",
)  # fmt: skip


def add_key(draft: Draft, name: str, path: str, *, assistants: Collection[str], **fields: object) -> None:
    """Adds a key that may call these assistants, by slug, and says that its secret stays behind."""
    key = draft.add_key(name, **fields)
    granted = set(assistants)
    for assistant in draft.assistants:
        if assistant.slug in granted:
            assistant.api_keys.append(key.name)
    draft.leave_out(path, WHY)
    if not assistants:
        draft.steps.append(
            f"API key {key.name}: let it call what its user needs: it may call no assistant yet."
        )


def add_litellm_key(key: Source) -> None:
    """Adds a virtual key of LiteLLM, of which only the SHA-256 is known."""
    draft, name = key.draft, key.text("key_alias", "key_name", default="LiteLLM key")
    expires_at = _expiry(key)
    if expires_at and expires_at <= timezone.now():
        draft.leave_out(key.path, "It has expired.")
        return
    limits = {
        ours: int(min(limit, _MOST))
        for theirs, ours in _LIMITS.items()
        if (limit := key.number(theirs)) is not None
    }
    may_nothing = [name for name, limit in limits.items() if limit < 1]
    if may_nothing:
        draft.leave_out(key.path, "It has a limit of 0, so that it is disabled here.")
    add_key(
        draft, name, key.path, assistants=_granted(key), expires_at=expires_at,
        is_disabled=key.flag("blocked") or bool(may_nothing),
        **{name: limit for name, limit in limits.items() if name not in may_nothing},
    )  # fmt: skip
    key.skip(*_HARMLESS)
    key.finish(NO_PLACE, max_budget=_MONEY, budget_duration=_MONEY, model_max_budget=_MONEY)


def _granted(key: Source) -> list[str]:
    """Returns the assistants that a key may call. Without models of its own it may what its team may."""
    models = key.texts("models")
    is_for_all = not models or "all-proxy-models" in models
    if "all-team-models" in models or (not models and key.text("team_id")):
        key.draft.leave_out(key.at("models"), "Which models its team may call is not in the file.")
        return []
    if is_for_all:
        return [each.slug for each in key.draft.assistants]
    granted = []
    for model in models:
        if assistant := key.draft.named(model):
            granted.append(assistant.slug)
        else:
            key.draft.leave_out(key.at("models"), f"No model {shown(model)} came over.")
    return granted


def _expiry(key: Source) -> datetime | None:
    """Returns when a key expires, if it does. Raises InvalidConfiguration for what is no time."""
    text = key.text("expires")
    try:
        expires_at = parse_datetime(text) if text else None
    except ValueError:  # a day that does not exist
        expires_at = None
    if text and expires_at is None:
        raise InvalidConfiguration(f"{key.at('expires')}: Give a date with a time, as 2027-01-31T00:00:00Z.")
    return expires_at.replace(tzinfo=UTC) if expires_at and not expires_at.tzinfo else expires_at
