"""Ids of tool calls: callers get ours, which carry the service's own id, so that the service sees it again.

An id of ours is nine letters and digits, unique, and behind a hyphen the service's id where both have room in
40 characters of [A-Za-z0-9_-]; OpenAI's clients and stores accept no more. In the service's id a character
beyond letters, digits and the underscore is a hyphen and two hexadecimal digits for each of its bytes.
"""

import re
import secrets
import string

_LONGEST = 40
_ALPHABET = string.ascii_letters + string.digits
_TOKEN_LENGTH = 9
"""Mistral accepts ids of exactly nine letters and digits only; everyone else accepts those too."""
_ID = re.compile(r"([A-Za-z0-9]{9})-((?:[A-Za-z0-9_]|-[0-9A-F]{2})+)")
_ESCAPED = re.compile(r"-([0-9A-F]{2})")
_NOT_PLAIN = re.compile(rb"[^A-Za-z0-9_]")


def mint(upstream_id: str) -> str:
    """Returns a new id for a call of this id at its service, which may be empty."""
    token = "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in secrets.token_bytes(_TOKEN_LENGTH))
    call_id = f"{token}-{_escaped(upstream_id)}"
    return call_id if upstream_id and len(call_id) <= _LONGEST else token


def is_carried(call_id: str, upstream_id: str) -> bool:
    """Whether the service's id can be read from ours."""
    return not upstream_id or upstream_of(call_id) == upstream_id


def upstream_of(call_id: str) -> str:
    """Returns the id for the service: its own, or the given one where that carries none."""
    match = _ID.fullmatch(call_id)
    return _unescaped(match[2]) or call_id if match else call_id


def token_of(call_id: str) -> str:
    """Returns an id that every service accepts, for one that did not give the call its id."""
    match = _ID.fullmatch(call_id)
    return match[1] if match else call_id


def _escaped(upstream_id: str) -> str:
    raw = upstream_id.encode(errors="replace")
    return _NOT_PLAIN.sub(lambda match: b"-%02X" % match[0][0], raw).decode()


def _unescaped(escaped: str) -> str:
    """Returns "" for what is no escaped UTF-8: then the id was not one of ours."""
    raw = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), escaped).encode("latin-1")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return ""
