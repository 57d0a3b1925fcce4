"""Remote MCP servers, each in a process of its own. See the fixture `start_remote`."""

import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.ports import listed_port

SERVERS = Path(__file__).resolve().parent.parent / "servers"


class RemoteServer:
    """Runs `program` of tests/servers with `arguments` and a port."""

    def __init__(self, program: str, *arguments: str, path: str = "/mcp", scheme: str = "http") -> None:
        self.port = listed_port()
        self.url = f"{scheme}://127.0.0.1:{self.port}{path}"
        self._command = [sys.executable, str(SERVERS / program), *arguments, str(self.port)]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "RemoteServer":
        self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 30
        while not self._listens():
            assert time.monotonic() < until
            time.sleep(0.05)
        return self

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
