"""One server in a client's file, in the words of all clients."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext

_ADDRESSES = ("url", "serverUrl", "httpUrl")
ON, OFF = ("enabled", "enable", "isActive", "is_active"), ("disabled",)
"""What clients and gateways call the switch of a server. Where one of them is off, the server is."""
_KNOWN = {
    *_ADDRESSES, "name", "type", "transport", "command", "args", "env", "headers", "requestOptions",
    *ON, *OFF, "asks_back",
}  # fmt: skip
_SWITCHES = {"true": True, "false": False}
_CREDENTIAL = re.compile(
    r"(x[_-])?(bearer|access|auth|api)[_-]?(token|key|value)|(proxy[_-])?authorization|token|password|secret"
    r"|credentials?|headersHelper|obo",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Entry:
    """`disabled`, `asks_back`: None where nothing is said. `ignored`: settings without a meaning here.

    `lost_credentials`: those of them by which a server would know its caller.
    """

    type: str = ""
    command: str = ""
    args: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    url: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    disabled: bool | None = None
    asks_back: bool | None = None
    ignored: tuple[str, ...] = ()
    lost_credentials: tuple[str, ...] = ()


def read_entry(written: Any) -> Entry:
    """Returns what a client wrote of one server. Raises ValidationError, with one entry a field."""
    if not isinstance(written, Mapping):
        raise ValidationError({"server": gettext("Give the server as an object.")})
    given = {str(name): value for name, value in written.items() if value is not None}
    known = _in_our_words(given)
    options = known.get("requestOptions")
    others = options.keys() - {"headers"} if isinstance(options, Mapping) else ()
    ignored = tuple(sorted([*(known.keys() - _KNOWN), *(f"requestOptions.{name}" for name in others)]))
    lost = tuple(name for name in ignored if is_credential(name) and known.get(name))
    readers: dict[str, Callable[[Any], Any]] = {
        "type": _text, "command": _text, "url": _text,
        "args": _texts, "env": _texts_by_name, "headers": _texts_by_name, "disabled": switch,
        "asks_back": switch,
    }  # fmt: skip
    values: dict[str, Any] = {}
    errors: dict[str, ValidationError] = {}
    for name, read in readers.items():
        if name in known:
            try:
                values[name] = read(known[name])
            except ValidationError as error:
                errors[name] = error
    if errors:
        raise ValidationError(errors)
    return Entry(**values, ignored=ignored, lost_credentials=lost)


def is_credential(name: str) -> bool:
    """Whether a server knows its caller by a setting or a header of this name.

    Not `oauth` and `auth`: who has none of a login is asked for one.
    """
    return bool(_CREDENTIAL.fullmatch(name))


def _in_our_words(given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns an entry with the names of Claude Desktop in place of those of other clients."""
    entry = dict(given)
    # Continue once kept all of it in `transport`; Zed once had an object as `command`.
    for holder, own in (("transport", None), ("command", "path")):
        if isinstance(inner := entry.get(holder), Mapping):
            del entry[holder]
            moved = {(holder if name == own else str(name)): value for name, value in inner.items()}
            entry = {name: value for name, value in moved.items() if value is not None} | entry
    if address := next((entry[name] for name in _ADDRESSES if entry.get(name)), None):
        entry["url"] = address
    # Gemini CLI: `url` is SSE, `httpUrl` is streamable HTTP, whatever its path ends in.
    if "transport" in entry or (entry.get("httpUrl") and not given.get("url")):
        entry.setdefault("type", entry.get("transport", "http"))
    if isinstance(options := entry.get("requestOptions"), Mapping):  # Continue
        entry.setdefault("headers", options.get("headers") or {})
    if switches := {name: _named_switch(name, entry[name]) for name in (*ON, *OFF) if name in entry}:
        entry["disabled"] = any(is_on == (name in OFF) for name, is_on in switches.items())
    return _without_shell(entry)


def _without_shell(entry: dict[str, Any]) -> dict[str, Any]:
    """Returns an entry that starts its command by itself, and not by `cmd /c` of Windows."""
    match entry:
        case {"command": "cmd" | "cmd.exe", "args": ["/c" | "/C", command, *args]}:
            return entry | {"command": command, "args": args}
    return entry


def _text(value: Any) -> str:
    """Returns a string, number or boolean as the text that MCP clients make of it."""
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str | int | float):
        raise ValidationError(gettext("Give a text."))
    return str(value)


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list):
        raise ValidationError(gettext("Give a list of texts."))
    return [_item(f"number {number}", each) for number, each in enumerate(value, 1)]


def _texts_by_name(value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise ValidationError(gettext("Give an object of texts."))
    return {str(name): _item(str(name), each) for name, each in value.items() if each is not None}


def _item(name: str, value: Any) -> str:
    try:
        return _text(value)
    except ValidationError:
        raise ValidationError(gettext("Give a text for %(name)s.") % {"name": name[:64]}) from None


def _named_switch(name: str, value: Any) -> bool:
    try:
        return switch(value)
    except ValidationError as error:
        raise ValidationError({name: error}) from error


def switch(value: Any) -> bool:
    """Returns a switch as clients write it, in words, too. Raises ValidationError."""
    value = _SWITCHES.get(value.lower(), value) if isinstance(value, str) else value
    if not isinstance(value, bool):
        raise ValidationError(gettext("Give true or false."))
    return value
