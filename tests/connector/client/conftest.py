from typing import Any

import pytest

from tests.connector.conftest import SERVERS
from tools.models import MCPTool


@pytest.fixture
async def asking(servers: Any, supervise: Any, caller: Any) -> MCPTool:
    supervise()
    server: MCPTool = await servers.running(args=[str(SERVERS / "asking.py")], name="asking", asks_back=True)
    return server
