from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis import AuthenticationError, Redis

from config.runner import redis
from config.runner.processes import Running, StartFailed


def test_it_serves_clients_with_the_password_alone(tmp_path: Path):
    service = redis.service(tmp_path / "redis")
    running = Running(service.program(), tmp_path / "log")
    running.wait_until(service.is_ready, timeout_s=10)
    url = service.environment["REDIS_URL"]
    try:
        redis.ping(url, timeout_s=1)
        with Redis(port=urlsplit(url).port) as stranger, pytest.raises(AuthenticationError):
            stranger.ping()
    finally:
        running.stop(timeout_s=5)
    assert [path.name for path in (tmp_path / "redis").iterdir()] == ["redis.conf"]


def test_its_password_can_be_read_only_by_its_owner(tmp_path: Path):
    redis.service(tmp_path / "redis").program()
    assert (tmp_path / "redis" / "redis.conf").stat().st_mode & 0o777 == 0o600


def test_a_server_on_the_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "redis-server").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert redis.service(tmp_path / "redis").program().argv[0] == str(tmp_path / "redis-server")


def test_the_error_on_a_platform_without_a_server_names_remedies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(redis, "PACKAGE", "no_such_package")
    with pytest.raises(StartFailed, match="install it or set REDIS_URL"):
        redis.service(tmp_path / "redis").program()
