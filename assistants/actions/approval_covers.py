"""Arguments of waiting calls as people see them: in full, with values covered that look like secrets."""

from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

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


def uncovered(sent: Any, stored: Any, name: str = "") -> Any:
    """Returns arguments that a person wrote, with the stored value wherever its cover was left as it is.

    Raises ValidationError for a cover that stands for nothing: it must not be sent to the tool.
    """
    match sent:
        case str() if isinstance(stored, str) and stored != COVER and sent == _covered(stored, name):
            return stored
        case str() if sent == COVER:
            raise ValidationError(
                _("A covered value (%(cover)s) was moved: reveal the values first, or write it anew."),
                params={"cover": COVER},
            )
        case dict():
            known = stored if isinstance(stored, dict) else {}
            return {key: uncovered(each, known.get(key), key) for key, each in sent.items()}
        case list():
            items = stored if isinstance(stored, list) and len(stored) == len(sent) else [None] * len(sent)
            return [uncovered(each, item, name) for each, item in zip(sent, items, strict=True)]
    return sent


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
