"""Arguments of waiting calls as people see them: in full, with values covered that look like secrets."""

from typing import Any

from assistants.filtering import mask_secrets
from tools.secrets.detection import is_secret_name, looks_secret
from tools.secrets.encryption import Unreadable

COVER = "••••"
UNREADABLE = "••••: the key that encrypted this is not in SECRET_ENCRYPTION_KEYS any more"


def covered(arguments: Any) -> Any:
    """Returns arguments with secrets covered: whole texts by form or name, and those within texts."""
    if isinstance(arguments, Unreadable):
        return {"unreadable": UNREADABLE}
    return _covered(arguments, "")


def has_covers(arguments: Any) -> bool:
    """Returns whether something is covered that a decider may reveal."""
    return not isinstance(arguments, Unreadable) and covered(arguments) != arguments


def revealed(arguments: Any) -> Any:
    """Returns arguments in full."""
    return {"unreadable": UNREADABLE} if isinstance(arguments, Unreadable) else arguments


def _covered(value: Any, name: str) -> Any:
    match value:
        case dict():
            return {key: _covered(each, key) for key, each in value.items()}
        case list():
            return [_covered(each, name) for each in value]
        case str() if value and (looks_secret(value) or is_secret_name(name)):
            return COVER
        case str():
            return mask_secrets(value)
    return value
