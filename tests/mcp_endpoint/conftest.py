from collections.abc import Iterator

import pytest

from tests.connector.remote import RemoteServer
from tests.mcp_endpoint.conformance import Packages

collect_ignore = ["node", "python"]


@pytest.fixture(scope="session")
def packages() -> Packages:
    """The suite's packages. Skips the test where they cannot be."""
    if (reason := Packages.missing()) is not None:
        pytest.skip(reason)
    try:
        packages = Packages({})
    except AssertionError as refusal:
        pytest.skip(f"npm could not install the conformance suite: {refusal}")
    if packages.program() is None:
        pytest.skip("npm has no Node 24 for this machine.")
    return packages


@pytest.fixture(scope="session")
def conformance_server() -> Iterator[RemoteServer]:
    """tests/servers/conformance.py, over HTTP."""
    server = RemoteServer("conformance.py", "--http")
    try:
        yield server.start()
    finally:
        server.kill()
