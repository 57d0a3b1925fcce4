"""Addresses of Redis behind Sentinel. What becomes of it without its primary: tests/chaos/sentinel.py."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import queues
from core.sentinel_address import SentinelAddress

WHOLE = "sentinel://me:p%40ss@a,[::1]:1,c:26380/main/3?sentinel_password=other"


def test_an_address_of_a_redis_is_none() -> None:
    assert SentinelAddress.parse("redis://:secret@host:6379/0") is None


def test_an_address_names_sentinels_service_and_logins() -> None:
    found = SentinelAddress.parse(WHOLE)
    assert found is not None
    assert found.hosts == (("a", 26379), ("::1", 1), ("c", 26380))
    assert (found.service, found.database) == ("main", 3)
    assert found.login == {"username": "me", "password": "p@ss"}
    assert found.sentinel_login == {"password": "other"}
    assert "p@ss" not in repr(found)
    assert "other" not in repr(found)


def test_what_is_not_given_is_left_out() -> None:
    found = SentinelAddress.parse("sentinel://:secret@a/main")
    assert found is not None
    assert (found.database, found.login, found.sentinel_login) == (0, {"password": "secret"}, {})


@pytest.mark.parametrize(
    "url",
    [
        "sentinel://",
        "sentinel://a:26379",  # no service
        "sentinel://a:26379/main/x",
        "sentinel://a:many/main",
        "sentinel://:secret@a,/main",
        "sentinel://a/main?password=secret",
    ],
)
def test_a_wrong_address_is_refused_with_the_form_of_a_right_one(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"REDIS_URL: .* sentinel://:PASSWORD@HOST") as refusal:
        queues.celery(url)
    assert "secret" not in str(refusal.value)


def test_celery_is_given_each_sentinel() -> None:
    given = queues.celery(WHOLE)
    login = "sentinel://me:p%40ss@"
    assert given["CELERY_BROKER_URL"] == f"{login}a:26379/3;{login}[::1]:1/3;{login}c:26380/3"
    options = given["CELERY_BROKER_TRANSPORT_OPTIONS"]
    assert options["master_name"] == "main"
    assert options["sentinel_kwargs"]["password"] == "other"
    assert queues.celery("redis://host/1")["CELERY_BROKER_URL"] == "redis://host/1"
