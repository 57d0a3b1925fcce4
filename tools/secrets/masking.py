"""Masking of secrets for people: names in clear, values masked. A mask sent back means: unchanged. Pure."""

import re
from collections.abc import Mapping, Sequence

from django.core.exceptions import ValidationError
from django.utils.translation import gettext

from tools.secrets.detection import is_placeholder, is_secret_name, looks_secret

MASK = "********"
UNREADABLE = "<unreadable: restore its key in SECRET_ENCRYPTION_KEYS, or enter it anew>"
"""Shown for a secret that no key decrypts. Sent back it means, as a mask does: unchanged."""
_URL = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*://)((?P<user>[^/?#@]*)@)?(?P<rest>.*)", re.IGNORECASE | re.DOTALL
)
_PARAMETER = re.compile(r"(?<=[?&#])([^=&#]*)=([^&#]*)")
_SEGMENT = re.compile(r"[^/?&#=]+")
_DEFAULT = re.compile(r"(\$\{(?:env:)?(\w+):-)([^{}]+)\}", re.ASCII)
_OPTION = re.compile(r"(?P<name>-{0,2}[A-Za-z][\w.-]*)(?P<sign>=|:\s*)(?P<value>.+)", re.DOTALL)


def masked(secrets: Mapping[str, str]) -> dict[str, str]:
    """Returns the names with masks: whether a value is set is no secret, its length would be."""
    return dict.fromkeys(secrets, MASK)


def unmasked(sent: Mapping[str, str], stored: Mapping[str, str]) -> dict[str, str]:
    """Returns `sent` with the stored value for each mask. Raises ValidationError if none is stored."""
    if new := [name for name, value in sent.items() if value == MASK and name not in stored]:
        raise ValidationError(gettext("No value is stored for %s: give one.") % ", ".join(new))
    return {name: stored[name] if value == MASK else value for name, value in sent.items()}


def masked_args(args: Sequence[str]) -> list[str]:
    """Returns arguments with the secrets in them masked: values of options, headers, URLs, tokens."""
    before = ["", *args]
    return [_masked_arg(arg, option) for option, arg in zip(before, args, strict=False)]


def unmasked_args(sent: Sequence[str], stored: Sequence[str]) -> list[str]:
    """Returns `sent` with the stored argument for each mask. Raises ValidationError if none is stored."""
    # By the argument before, too: a mask finds its value when others move, and never under another option.
    shown = masked_args(stored)
    known = {(before, shape): arg for before, shape, arg in zip(["", *shown], shown, stored, strict=False)}
    restored = []
    for before, arg in zip(["", *sent], sent, strict=False):
        if MASK in arg and (before, arg) not in known:
            raise ValidationError(
                gettext("No value is stored for the argument %s: give it whole.") % arg[:64]
            )
        restored.append(known[before, arg] if MASK in arg else arg)
    return restored


def masked_url(url: str) -> str:
    """Returns a URL of any scheme with its credentials, secret parameters and random segments masked."""
    found = _URL.fullmatch(url)
    if found is None:
        return url
    user = "" if found["user"] is None else f"{_masked_user(found['user'])}@"
    rest = _PARAMETER.sub(_masked_parameter, found["rest"])
    return f"{found['scheme']}{user}{_SEGMENT.sub(_masked_segment, rest)}"


def unmasked_url(sent: str, stored: str) -> str:
    """Returns the URL to store for `sent`. Raises ValidationError for a mask in another URL."""
    if MASK not in sent:
        return sent
    # Only the whole URL is restored: else a stored secret could be sent to another host.
    if sent != masked_url(stored):
        raise ValidationError(gettext("The address differs from the stored one: give its secret parts too."))
    return stored


def _masked_arg(arg: str, before: str) -> str:
    if is_placeholder(arg):
        return _masked_default(arg)
    if _URL.fullmatch(arg):
        return masked_url(arg)
    if looks_secret(arg) or (before.startswith("-") and "=" not in before and _is_value_of(before, arg)):
        return MASK
    if option := _OPTION.fullmatch(arg):
        return f"{option['name']}{option['sign']}{_masked_value(option['name'], option['value'])}"
    return arg


def _is_value_of(option: str, arg: str) -> bool:
    return is_secret_name(option) and not arg.startswith("-")


def _masked_value(name: str, value: str) -> str:
    if is_placeholder(value):
        return _masked_default(value)
    return MASK if is_secret_name(name) or looks_secret(value) else masked_url(value)


def _masked_user(user: str) -> str:
    name, colon, _ = user.partition(":")
    return f"{name}:{MASK}" if colon else MASK


def _masked_parameter(found: re.Match[str]) -> str:
    return f"{found[1]}={_masked_value(found[1], found[2])}"


def _masked_segment(found: re.Match[str]) -> str:
    return MASK if looks_secret(found[0]) else _masked_default(found[0])


def _masked_default(text: str) -> str:
    """Masks the secret defaults of a text's references: `${TOKEN:-ghp_...}`."""
    return _DEFAULT.sub(
        lambda found: (
            f"{found[1]}{MASK}}}" if is_secret_name(found[2]) or looks_secret(found[3]) else found[0]
        ),
        text,
    )
