"""The diagnosis of a server that ended."""

import pytest

from connector.lifecycle.diagnosis import HINTS, ExitInfo, ExitReason, diagnose


def test_every_exit_reason_has_a_hint_of_one_line() -> None:
    assert HINTS.keys() == set(ExitReason)
    assert not [hint for hint in HINTS.values() if "\n" in hint or not hint.endswith(".")]


@pytest.mark.parametrize(
    ("info", "reason"),
    [
        ({"exec_errno": 2}, ExitReason.MISSING_BINARY),
        ({"code": 1, "stderr": "npm error code E404\nnpm error 404 Not Found"}, ExitReason.PACKAGE_NOT_FOUND),
        ({"code": 1, "stderr": "No module named mcp_server_nothing"}, ExitReason.PACKAGE_NOT_FOUND),
        ({"code": 1, "stderr": "Error: GITHUB_TOKEN is required"}, ExitReason.MISSING_VARIABLE),
        ({"code": 1, "stderr": "Missing required variable: BRAVE_API_KEY"}, ExitReason.MISSING_VARIABLE),
        ({"code": 0, "stray_stdout": "Usage: server [options]"}, ExitReason.STRAY_STDOUT),
        ({"signal": 6, "stderr": "JavaScript heap out of memory"}, ExitReason.OUT_OF_MEMORY),
        ({"signal": 9}, ExitReason.KILLED),
        ({"code": 1, "stderr": "Traceback"}, ExitReason.CRASHED),
        ({}, ExitReason.KILLED),
    ],
)
def test_the_reason_is_found_by_its_surest_sign(info: dict[str, object], reason: ExitReason) -> None:
    found = diagnose(ExitInfo("server", "start", 1.0, **info))  # type: ignore[arg-type]
    assert found.reason == reason


def test_old_log_lines_do_not_explain_why_a_server_ended() -> None:
    info = ExitInfo("server", "run", 99, code=1, stderr="OPTIONAL_KEY is not set, going on without it")
    assert diagnose(info).reason == ExitReason.CRASHED
