"""The format of API keys: `ak-` six digits `-` 22 random bytes (URL-safe base64) and a checksum.

The checksum is the CRC-32 of everything before it, in six base-62 characters: a mistyped key is refused
without asking the database. It is no secret and protects nothing else.
"""

import hashlib
import re
import secrets
import string
import zlib

_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_FORM = re.compile(r"ak-[0-9]{6}-[A-Za-z0-9_-]{30}[A-Za-z0-9]{6}", re.ASCII)
_CHECKSUM_LENGTH = 6
_SHOWN_LENGTH = 20


def generate() -> str:
    """Returns a new random key, of 176 bits."""
    body = f"ak-{secrets.randbelow(1_000_000):06d}-{secrets.token_urlsafe(22)}"
    return body + _checksum(body)


def is_well_formed(key: str) -> bool:
    """Returns whether `key` has the format and the right checksum."""
    if not _FORM.fullmatch(key):
        return False
    return key[-_CHECKSUM_LENGTH:] == _checksum(key[:-_CHECKSUM_LENGTH])


def hash_key(key: str) -> str:
    """Returns the SHA-256 of a key, which is stored in its place."""
    # Without a salt or many rounds: a random key of 176 bits cannot be guessed, and is verified with each
    # request.
    return hashlib.sha256(key.encode()).hexdigest()


def display_prefix(key: str) -> str:
    """Returns the beginning of a key, by which people recognise it."""
    return key[:_SHOWN_LENGTH] + "..."


def _checksum(body: str) -> str:
    value, digits = zlib.crc32(body.encode()), []
    for _ in range(_CHECKSUM_LENGTH):
        value, digit = divmod(value, 62)
        digits.append(_BASE62[digit])
    return "".join(reversed(digits))
