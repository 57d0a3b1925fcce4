"""The address of a Redis behind Sentinel: it names the sentinels, which know what Redis is the primary.

sentinel://[user:password@]host[:26379][,host[:26379]...]/SERVICE[/DATABASE][?sentinel_password=...]

The user and the password are those of Redis. The sentinels may have others.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

SCHEME = "sentinel"
PORT = 26379
TIMEOUT_S = 0.5
"""A sentinel that does not answer costs those who ask one after the other so much."""
_FORM = "sentinel://:PASSWORD@HOST:26379,HOST:26379,HOST:26379/SERVICE/0"
_OPTIONS = {"sentinel_username": "username", "sentinel_password": "password"}


@dataclass(frozen=True, slots=True)
class SentinelAddress:
    """`login` is that of Redis, `sentinel_login` that of the sentinels: arguments of redis-py."""

    hosts: tuple[tuple[str, int], ...]
    service: str
    database: int
    login: Mapping[str, str] = field(repr=False)
    sentinel_login: Mapping[str, str] = field(repr=False)

    @classmethod
    def parse(cls, url: str) -> Self | None:
        """Returns None for an address of a Redis itself. Raises ValueError, without what may be secret."""
        parts = urlsplit(url)
        if parts.scheme != SCHEME:
            return None
        credentials, _, hosts = parts.netloc.rpartition("@")
        service, _, database = parts.path.strip("/").partition("/")
        user, _, password = credentials.partition(":")
        given = dict(parse_qsl(parts.query))
        if not (hosts and service and (database or "0").isdecimal() and given.keys() <= _OPTIONS.keys()):
            raise ValueError(f"an address of sentinels has the form {_FORM}")
        login = {"username": unquote(user), "password": unquote(password)}
        return cls(
            hosts=tuple(_host(each) for each in hosts.split(",")),
            service=unquote(service),
            database=int(database or 0),
            login={name: value for name, value in login.items() if value},
            sentinel_login={_OPTIONS[name]: value for name, value in given.items()},
        )

    @property
    def sentinel_options(self) -> dict[str, Any]:
        """Arguments of redis-py for a connection to a sentinel."""
        return {"socket_timeout": TIMEOUT_S, "socket_connect_timeout": TIMEOUT_S, **self.sentinel_login}


def _host(named: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{named}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host:
        raise ValueError(f"an address of sentinels has the form {_FORM}")
    return host, port or PORT
