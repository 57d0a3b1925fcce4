"""What `manage.py doctor` says of settings that load and depend on the machine."""

from typing import Any

import pytest

from config.doctor import settings as doctor_settings
from connector.process import run_as


def said(state: str) -> list[str]:
    return [finding.said for finding in doctor_settings.check() if finding.state == state]


def test_a_user_whom_this_machine_does_not_know(settings: Any) -> None:
    settings.MCP_RUN_AS = "no-such-user"
    (found,) = said("failed")
    assert found.startswith("MCP_RUN_AS names 'no-such-user', whom this host does not know.")
    assert not said("ok")


def test_a_user_whom_nobody_may_become(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_as, "_may_switch", lambda: False)
    settings.MCP_RUN_AS = "nobody"
    (found,) = said("warning")
    assert found == "MCP_RUN_AS names 'nobody', and this command may not switch users."
