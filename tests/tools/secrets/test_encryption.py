import pytest
from cryptography.fernet import Fernet
from django.conf import LazySettings

from tools.secrets import encryption


@pytest.fixture
def keys(settings: LazySettings) -> LazySettings:
    encryption._fernet.cache_clear()
    yield settings
    encryption._fernet.cache_clear()


def rotate(settings: LazySettings, *keys: bytes) -> None:
    settings.SECRET_ENCRYPTION_KEYS = [key.decode() for key in keys]
    encryption._fernet.cache_clear()


def test_the_first_key_encrypts_and_all_decrypt(keys: LazySettings) -> None:
    old, new = Fernet.generate_key(), Fernet.generate_key()
    rotate(keys, old)
    token = encryption.encrypt({"a": "b"})
    rotate(keys, new, old)
    assert encryption.decrypt(token) == {"a": "b"}
    fresh = encryption.encrypt("c")
    rotate(keys, new)
    assert encryption.decrypt(fresh) == "c"


def test_a_lost_key_is_named_as_the_cause(keys: LazySettings) -> None:
    token = encryption.encrypt("secret")
    rotate(keys, Fernet.generate_key())
    with pytest.raises(encryption.UndecryptableSecret, match="SECRET_ENCRYPTION_KEYS"):
        encryption.decrypt(token)
