"""The environment of stdio servers."""

from typing import Any

import pytest

from connector.process.environment import server_environment


def test_servers_get_the_variables_that_the_deployment_passes_on(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/etc/ca.pem")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    assert not {"SSL_CERT_FILE", "HTTPS_PROXY"} & server_environment({}).keys()
    settings.MCP_PASS_ENVIRONMENT = ["SSL_CERT_FILE", "HTTPS_PROXY", "NOT_SET_ANYWHERE"]
    found = server_environment({"HTTPS_PROXY": "http://own:1"})
    assert (found["SSL_CERT_FILE"], found["HTTPS_PROXY"]) == ("/etc/ca.pem", "http://own:1")
    assert "NOT_SET_ANYWHERE" not in found
