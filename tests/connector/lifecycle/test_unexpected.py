"""Errors of our own: people see their name, the log has where they were raised."""

import logging
from typing import Any

import pytest

from connector.client import connection_tests, logins, workers
from connector.client.logins import LoginFailed
from tests.connector.conftest import wait_for
from tests.connector.oauth import REDIRECT_URI, grant
from tools.launch import launch_spec
from tools.models import Status

SECRET = "canary-77aa"


@pytest.fixture(autouse=True)
def bug(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Two of our functions raise an error whose text holds a secret."""

    async def buggy_function(*_: Any, **__: Any) -> None:
        raise AttributeError(SECRET)

    monkeypatch.setattr("connector.session.client.Session.list_tools", buggy_function)
    monkeypatch.setattr("connector.data_plane.logins.log_in", buggy_function)
    caplog.set_level(logging.INFO)


def assert_logged(subject: str, caplog: pytest.LogCaptureFixture) -> None:
    assert f"{subject}: unexpected AttributeError, raised here:" in caplog.text
    assert "in buggy_function" in caplog.text
    assert SECRET not in caplog.text


async def test_an_unexpected_error_of_a_server_task_is_logged(
    servers: Any, supervise: Any, caplog: pytest.LogCaptureFixture
) -> None:
    supervise()
    row = await servers.wait_until(await servers.register(), Status.ERROR)
    assert row.error_message == "The server cannot be reached (AttributeError)."
    assert_logged("MCP server fake", caplog)


async def test_an_unexpected_error_of_a_connection_test_is_logged(
    servers: Any, supervise: Any, caplog: pytest.LogCaptureFixture
) -> None:
    supervise()
    await wait_for(workers.alive)
    tested = await connection_tests.run(launch_spec(await servers.register(is_enabled=False)))
    assert tested.error is not None
    assert_logged("Connection test", caplog)


async def test_an_unexpected_error_of_a_login_is_logged(
    servers: Any, supervise: Any, caplog: pytest.LogCaptureFixture
) -> None:
    supervise()
    await wait_for(workers.alive)
    server = await servers.register(connection_type="streamable_http", url="http://127.0.0.1:9/mcp")
    await grant(server)
    with pytest.raises(LoginFailed, match="AttributeError"):
        await logins.begin(server.pk, REDIRECT_URI)
    assert_logged("Login", caplog)


async def test_an_expected_error_is_not_logged_as_unexpected(
    servers: Any, supervise: Any, caplog: pytest.LogCaptureFixture
) -> None:
    supervise()
    await servers.wait_until(await servers.register("silent-end"), Status.ERROR)
    await servers.wait_until(
        await servers.register(name="away", connection_type="streamable_http", url="http://127.0.0.1:9/mcp"),
        Status.ERROR,
    )
    assert "unexpected" not in caplog.text
