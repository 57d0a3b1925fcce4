import io

import pytest

from config.runner import progress
from config.runner.progress import ERASE_LINE, Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "20")
    return Terminal()


def test_on_a_terminal_one_line_lives_and_what_is_printed_takes_its_place(terminal: Terminal):
    shown = Progress(terminal)
    shown.step("first")
    shown.still("first: 3 s")
    shown.line("done")
    shown.clear()
    assert terminal.getvalue() == f"{ERASE_LINE}first{ERASE_LINE}first: 3 s{ERASE_LINE}done\n"


def test_a_living_line_does_not_wrap(terminal: Terminal):
    Progress(terminal).step("x" * 50)
    assert terminal.getvalue() == ERASE_LINE + "x" * 19


def test_a_log_has_a_line_for_each_step_and_now_and_then_what_is_left(monkeypatch: pytest.MonkeyPatch):
    log = io.StringIO()
    shown = Progress(log)
    shown.step("first")
    shown.still("first: 3 s")
    monkeypatch.setattr(progress, "LOG_EVERY_S", 0)
    shown.still("first: 10 s")
    shown.clear()
    assert log.getvalue() == "first\nfirst: 10 s\n"
