"""Encryption of secrets at rest, as Fernet tokens.

The first of SECRET_ENCRYPTION_KEYS encrypts, all of them decrypt: so keys can be rotated.
"""

import json
from functools import cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models

from tools.secrets import masking
from tools.secrets.masking import MASK


class UndecryptableSecret(Exception):
    """A stored secret was encrypted with a key that SECRET_ENCRYPTION_KEYS no longer lists."""


@cache
def _fernet() -> MultiFernet:
    try:
        return MultiFernet([Fernet(key) for key in settings.SECRET_ENCRYPTION_KEYS])
    except ValueError as error:
        raise ImproperlyConfigured(
            "SECRET_ENCRYPTION_KEYS must list Fernet keys (32 bytes, URL-safe base64), separated by commas."
        ) from error


def encrypt(value: Any) -> str:
    """Returns the token of a JSON value. Raises ImproperlyConfigured."""
    return _fernet().encrypt(json.dumps(value).encode()).decode()


def decrypt(token: str) -> Any:
    """Returns the JSON value of a token. Raises UndecryptableSecret."""
    try:
        return json.loads(_fernet().decrypt(token))
    except InvalidToken as error:
        raise UndecryptableSecret(
            "A stored secret cannot be decrypted: add the key that encrypted it to SECRET_ENCRYPTION_KEYS."
        ) from error


class EncryptedJSONField(models.TextField[Any, Any]):
    """Any JSON value, stored as one Fernet token. It cannot be searched, and is None only as SQL NULL.

    The API, the console and the audit trail show it `masked`.
    """

    _pyi_private_set_type: Any  # for django-stubs: what a model's constructor takes

    def from_db_value(self, value: str | None, *_: Any) -> Any:
        return None if value is None else decrypt(value)

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None else encrypt(value)

    def value_to_string(self, obj: models.Model) -> str:
        """Returns the token, for dumpdata: a dump holds no secret in clear."""
        return encrypt(self.value_from_object(obj))

    def masked(self, value: Any) -> Any:
        """Returns what people may see: the names of an object, and of another value whether it is set."""
        if isinstance(value, dict):
            return masking.masked(value)
        return MASK if value else value

    def unmasked(self, sent: Any, stored: Any) -> Any:
        """Returns the value to store for `sent`. Raises ValidationError for a mask without a stored value."""
        if isinstance(sent, dict):
            return masking.unmasked(sent, stored or {})
        return stored if sent == MASK else sent

    def to_python(self, value: Any) -> Any:
        """Returns the value that a dump holds as a token, for loaddata. Raises UndecryptableSecret."""
        return decrypt(value) if isinstance(value, str) else value

    def clean(self, value: Any, model_instance: models.Model | None) -> Any:
        """Validates without `to_python`: what people enter is never taken for a token, nor decrypted."""
        self.validate(value, model_instance)
        self.run_validators(value)
        return value


class EncryptedArgumentsField(EncryptedJSONField):
    """The arguments of a command: a list of strings. Only those that look secret are masked."""

    def masked(self, value: Any) -> Any:
        return masking.masked_args(value)

    def unmasked(self, sent: Any, stored: Any) -> Any:
        is_list = isinstance(sent, list) and all(isinstance(arg, str) for arg in sent)
        return masking.unmasked_args(sent, stored or []) if is_list else sent


class EncryptedURLField(EncryptedJSONField):
    """A URL. Only its credentials, and parts that look secret, are masked."""

    def masked(self, value: Any) -> Any:
        return masking.masked_url(value)

    def unmasked(self, sent: Any, stored: Any) -> Any:
        return masking.unmasked_url(sent, stored or "") if isinstance(sent, str) else sent
