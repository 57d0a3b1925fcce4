"""Servers that write more to standard error than anybody reads."""

from typing import Any

from tests.connector.conftest import SERVERS
from tools.models import Status

TO_STANDARD_ERROR = """
import os, runpy, threading
def pour():
    for _ in range(3000):
        os.write(2, b"y" * 65536)
threading.Thread(target=pour, daemon=True).start()
runpy.run_path({fake!r}, run_name="__main__")
"""


async def test_a_flood_on_standard_error_delays_no_call(servers: Any, supervise: Any, caller: Any) -> None:
    supervise()
    script = TO_STANDARD_ERROR.format(fake=str(SERVERS / "fake.py"))
    flooding = await servers.register(args=["-c", script], name="flooding")
    other = await servers.running(name="other")
    await servers.wait_until(flooding, Status.RUNNING)
    for server in (flooding, other, flooding, other):
        assert (await caller(server, "echo", timeout_s=3)).content
    assert len((await servers.instance(flooding)).stderr_tail) <= 8 * 1024
