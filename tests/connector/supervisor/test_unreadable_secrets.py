"""A server whose settings no key decrypts: its status says so, and a supervisor's other servers go on."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography.fernet import Fernet

from connector import grants
from tests.connector.conftest import BY, SERVERS, orm
from tools import actions
from tools.models import Status
from tools.secrets import encryption


@pytest.fixture
def use_keys(settings: Any) -> Iterator[Callable[..., None]]:
    def use(*keys: str) -> None:
        settings.SECRET_ENCRYPTION_KEYS = list(keys)
        encryption._fernet.cache_clear()

    yield use
    encryption._fernet.cache_clear()


async def test_a_server_with_a_lost_key_says_so_and_a_healthy_one_serves(
    servers: Any, supervise: Any, caller: Any, use_keys: Any
) -> None:
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    use_keys(old)
    broken = await servers.register(name="broken", env={"TOKEN": "canary"})
    use_keys(new)
    healthy = await servers.register(name="healthy")
    supervise()
    row = await servers.wait_until(broken, Status.ERROR)
    assert row.error["class"] == "unreadable_secret"
    assert "args and env" in row.error["message"]
    assert "SECRET_ENCRYPTION_KEYS" in row.error["remedy"]
    await servers.wait_until(healthy, Status.RUNNING)
    assert (await caller(healthy, "echo")).content
    # Entered anew, it runs; nothing else has to be done.
    await servers.act(actions.update, broken, args=[str(SERVERS / "fake.py")], env={"TOKEN": "new"})
    await servers.wait_until(broken, Status.RUNNING)
    assert (await caller(broken, "echo")).content


async def test_a_server_whose_grant_is_unreadable_says_so(
    servers: Any, supervise: Any, start_remote: Any, use_keys: Any
) -> None:
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    use_keys(new)
    remote = start_remote("real.py", "streamable-http")
    server = await servers.register(name="far", connection_type="streamable_http", url=remote.url)
    use_keys(old)
    await orm(grants.connect)(server=server, by=BY, client_id="us", client_secret="canary")
    use_keys(new)
    supervise()
    row = await servers.wait_until(server, Status.ERROR)
    assert row.error["class"] == "unreadable_secret"
    assert "client secret" in row.error["message"]
