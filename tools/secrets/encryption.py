"""Encryption of secrets at rest, as Fernet tokens.

The first of SECRET_ENCRYPTION_KEYS encrypts, all of them decrypt: so keys can be rotated.
"""

import json
import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NoReturn

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import models
from django.utils.translation import gettext

from core.errors import Conflict
from core.message import Message
from tools.secrets import masking
from tools.secrets.masking import MASK, UNREADABLE

_TOKEN = re.compile(r"gAAAAA[\w-]{92,}={0,2}", re.ASCII)
"""A Fernet token: its version and the upper bytes of its time (Fernet spec), and at least one block."""


class UndecryptableSecret(Conflict):
    """409: a stored secret was encrypted with a key that SECRET_ENCRYPTION_KEYS no longer lists."""

    def __init__(self, of: str = Message("A stored secret")) -> None:
        self.message = Message(
            "%(secret)s cannot be decrypted: restore the key that encrypted it in SECRET_ENCRYPTION_KEYS"
            " and restart, or enter it anew.",
            secret=of,
        )
        super().__init__(self.message, "undecryptable_secret")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Stands in a row for a secret that no key decrypts, so that the row can be read, shown and saved.

    It is saved as the token that was read. Whatever else takes it for the secret gets UndecryptableSecret.
    """

    token: str = field(repr=False)

    def _refuse(self, *_: Any) -> NoReturn:
        raise UndecryptableSecret

    __str__ = __format__ = __iter__ = __len__ = __getitem__ = __contains__ = keys = items = get = _refuse

    def __bool__(self) -> bool:
        return True  # there is a secret, and it must not be taken for none


@cache
def _fernet() -> MultiFernet:
    try:
        return MultiFernet([Fernet(key) for key in settings.SECRET_ENCRYPTION_KEYS])
    except ValueError as error:
        raise ImproperlyConfigured(
            "SECRET_ENCRYPTION_KEYS must list Fernet keys (32 bytes, URL-safe base64), separated by commas."
        ) from error


def require_keys() -> None:
    """Raises ImproperlyConfigured where SECRET_ENCRYPTION_KEYS lists no usable keys."""
    _fernet()


def encrypt(value: Any) -> str:
    """Returns the token of a JSON value. Raises ImproperlyConfigured."""
    return encrypt_json(json.dumps(value).encode())


def encrypt_json(value: bytes) -> str:
    """Returns the token of a value that is JSON already. Raises ImproperlyConfigured."""
    return _fernet().encrypt(value).decode()


def decrypt(token: str) -> Any:
    """Returns the JSON value of a token. Raises UndecryptableSecret."""
    try:
        # As bytes: of a text that is not ASCII it would raise ValueError.
        return json.loads(_fernet().decrypt(token.encode()))
    except InvalidToken as error:
        raise UndecryptableSecret from error


def is_readable(token: str) -> bool:
    return not isinstance(_read(token), Unreadable)


def _read(token: str) -> Any:
    """Returns the JSON value of a token, or Unreadable."""
    try:
        return decrypt(token)
    except UndecryptableSecret:
        return Unreadable(token)


class EncryptedJSONField(models.TextField[Any, Any]):
    """Any JSON value, stored as one Fernet token. It cannot be searched, and is None only as SQL NULL.

    The API, the console and the audit trail show it `masked`. Where no key decrypts it, its value is
    Unreadable: one row must not keep others from being read.
    """

    _pyi_private_set_type: Any  # for django-stubs: what a model's constructor takes

    def from_db_value(self, value: str | None, *_: Any) -> Any:
        return None if value is None else _read(value)

    def get_prep_value(self, value: Any) -> str | None:
        if isinstance(value, Unreadable):
            return value.token
        return None if value is None else encrypt(value)

    def value_to_string(self, obj: models.Model) -> str:
        """Returns the token, for dumpdata: a dump holds no secret in clear."""
        value = self.value_from_object(obj)
        return value.token if isinstance(value, Unreadable) else encrypt(value)

    def masked(self, value: Any) -> Any:
        """Returns what people may see: the names of an object, and of another value whether it is set."""
        return self._mark() if isinstance(value, Unreadable) else self._masked(value)

    def unmasked(self, sent: Any, stored: Any) -> Any:
        """Returns the value to store for `sent`. Raises ValidationError for a mask without a stored value."""
        if sent in (MASK, self._mark()) and (isinstance(stored, Unreadable) or sent == stored):
            return stored
        if UNREADABLE in _parts(sent):
            raise ValidationError(gettext("Give all values anew, none of them as %s.") % UNREADABLE)
        return self._unmasked(sent, None if isinstance(stored, Unreadable) else stored)

    def is_unreadable(self, value: Any) -> bool:
        return isinstance(value, Unreadable)

    def _mark(self) -> Any:
        """Returns what stands for an unreadable value, in the field's own shape."""
        empty = self.get_default()
        if isinstance(empty, dict):
            return {"unreadable": UNREADABLE}
        return [UNREADABLE] if isinstance(empty, list) else UNREADABLE

    def _masked(self, value: Any) -> Any:
        if isinstance(value, dict):
            return masking.masked(value)
        return MASK if value else value

    def _unmasked(self, sent: Any, stored: Any) -> Any:
        if isinstance(sent, dict):
            return masking.unmasked(sent, stored or {})
        return stored if sent == MASK else sent

    def to_python(self, value: Any) -> Any:
        """Returns the value that a dump holds as a token, for loaddata; Unreadable where no key decrypts it.

        Raises UndecryptableSecret for what is no token.
        """
        if not isinstance(value, str):
            return value
        return _read(value) if _TOKEN.fullmatch(value) else decrypt(value)

    def clean(self, value: Any, model_instance: models.Model | None) -> Any:
        """Validates without `to_python`: what people enter is never taken for a token, nor decrypted."""
        self.validate(value, model_instance)
        self.run_validators(value)
        return value


def _parts(sent: Any) -> list[Any]:
    """Returns the values in what a person sent for a secret."""
    if isinstance(sent, dict):
        return list(sent.values())
    return sent if isinstance(sent, list) else [sent]


def encrypted_columns(model: type[models.Model]) -> list[str]:
    """Returns the names of a model's own fields that are encrypted."""
    return [field.attname for field in model._meta.local_fields if isinstance(field, EncryptedJSONField)]


class EncryptedArgumentsField(EncryptedJSONField):
    """The arguments of a command: a list of strings. Only those that look secret are masked."""

    def _masked(self, value: Any) -> Any:
        return masking.masked_args(value)

    def _unmasked(self, sent: Any, stored: Any) -> Any:
        is_list = isinstance(sent, list) and all(isinstance(arg, str) for arg in sent)
        return masking.unmasked_args(sent, stored or []) if is_list else sent


class EncryptedURLField(EncryptedJSONField):
    """A URL. Only its credentials, and parts that look secret, are masked."""

    def _masked(self, value: Any) -> Any:
        return masking.masked_url(value)

    def _unmasked(self, sent: Any, stored: Any) -> Any:
        return masking.unmasked_url(sent, stored or "") if isinstance(sent, str) else sent
