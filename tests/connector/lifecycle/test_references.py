"""References to variables are filled when a server is started, and are named where they have no value."""

import re
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.connector.conftest import SERVERS, orm
from tools.launch import launch_spec
from tools.models import MCPTool, Status

FAKE = str(SERVERS / "fake.py")


async def test_arguments_are_filled_from_the_servers_environment(servers: Any, supervise: Any) -> None:
    supervise()
    written = [FAKE, "--key=${KEY}", "${env:MODE:-quiet}", "$${KEY}"]
    server = await servers.running(args=written, env={"KEY": "canary-1"})
    process = psutil.Process((await servers.instance(server)).pid)
    assert process.cmdline()[-3:] == ["--key=canary-1", "quiet", "${KEY}"]
    assert (await servers.row(server)).args == written


@pytest.mark.parametrize(
    ("reference", "kind"),
    [
        ("${MISSING_KEY}", "missing_variable"),
        ("${env:MISSING_KEY}", "missing_variable"),
        ("${workspaceFolder}", "misconfigured"),
        ("${input:key}", "misconfigured"),
    ],
)
async def test_what_has_no_value_is_named_and_nothing_is_started(
    servers: Any, supervise: Any, tmp_path: Path, reference: str, kind: str
) -> None:
    supervise()
    starts = tmp_path / "starts"
    server = await servers.register(args=[FAKE, reference], env={"FAKE_STARTS": str(starts)})
    row = await servers.wait_until(server, Status.ERROR)
    assert row.error["class"] == kind
    assert reference in row.error["message"]
    assert not starts.exists()


async def test_what_has_no_value_is_no_unexpected_error(servers: Any, supervise: Any, caplog: Any) -> None:
    supervise()
    server = await servers.register(args=[FAKE, "${MISSING_KEY}"])
    await servers.wait_until(server, Status.ERROR)
    assert "unexpected" not in caplog.text


@pytest.mark.parametrize("field", ["url", "headers"])
async def test_a_remote_server_without_a_value_is_not_reached(
    servers: Any, supervise: Any, field: str
) -> None:
    supervise()
    fields = {"url": "http://127.0.0.1:1/", "headers": {"Authorization": "Bearer x"}}
    fields |= (
        {"url": "http://${HOST}:1/"} if field == "url" else {"headers": {"Authorization": "Bearer ${KEY}"}}
    )
    server = await servers.register(connection_type="streamable_http", **fields)
    row = await servers.wait_until(server, Status.ERROR)
    assert row.error["class"] == "missing_variable"
    assert re.search(r"\$\{(HOST|KEY)\}", row.error["message"])


async def test_an_address_and_headers_are_filled(servers: Any) -> None:
    url, headers = "https://${HOST}/mcp?key=${KEY}", {"Authorization": "Bearer ${KEY}"}
    env = {"HOST": "93.184.216.34", "KEY": "canary-1234"}
    row = MCPTool(connection_type="sse", url=url, headers=headers, env=env)
    await orm(row.clean)()
    spec = launch_spec(row)
    assert spec.url == "https://93.184.216.34/mcp?key=canary-1234"
    assert spec.headers == {"Authorization": "Bearer canary-1234"}
    assert spec.redact(f"GET {spec.url} Bearer canary-1234") == "GET ******** ********"
    assert "canary" not in repr(spec)
