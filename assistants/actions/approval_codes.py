"""The codes by which callers decide: `apc-` and 60 random bits. Only a keyed hash of one is stored."""

import base64
import re
import secrets

from django.utils.crypto import constant_time_compare, salted_hmac

CODE = re.compile(r"apc-[a-z2-7]{12}")
_BYTES = 8
_CHARACTERS = 12


def new_code() -> str:
    return "apc-" + base64.b32encode(secrets.token_bytes(_BYTES)).decode().lower()[:_CHARACTERS]


def code_hash(code: str) -> str:
    return salted_hmac("assistants.approvals.code", code, algorithm="sha256").hexdigest()


def is_code_of(code: str, stored: str) -> bool:
    """Returns whether this is the code that has the stored hash. "" has no code."""
    return bool(stored) and constant_time_compare(code_hash(code), stored)
