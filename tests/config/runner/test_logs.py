from pathlib import Path

import pytest

from config.runner import logs
from config.runner.logs import Log


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    append(tmp_path / "web.log", "2026-11-22 12:00:00,000 ERROR of an earlier run\n")
    return tmp_path / "web.log"


def test_it_returns_warnings_and_errors_once(path: Path):
    log = Log(path)
    append(
        path, "2026-11-22 12:00:01,000 INFO fine\n2026-11-22 12:00:02,000 ERROR x [-] bad\nERROR:    worse\n"
    )
    assert log.new_warnings() == ["2026-11-22 12:00:02,000 ERROR x [-] bad", "ERROR:    worse"]
    assert log.new_warnings() == []


def test_it_knows_lines_of_json(path: Path):
    log = Log(path)
    bad = '{"time":"2026-11-22T12:00:02.000Z","level":"WARNING","logger":"x","message":"bad"}'
    append(path, bad.replace("WARNING", "INFO") + "\n" + bad + "\n")
    assert log.new_warnings() == [bad]


def test_it_waits_for_the_end_of_a_line(path: Path):
    log = Log(path)
    append(path, "ERROR: half")
    assert log.new_warnings() == []
    append(path, " and half\n")
    assert log.new_warnings() == ["ERROR: half and half"]


def test_it_is_rotated_while_a_child_writes_to_it(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(logs, "LIMIT", 1000)
    log = Log(path)
    with path.open("a") as writer:
        for number in range(100):
            writer.write(f"ERROR: {number} {'x' * 100}\n")
            writer.flush()
            assert [line.split()[1] for line in log.new_warnings()] == [str(number)]
            assert path.stat().st_size <= 1200
    assert sorted(file.name for file in path.parent.iterdir()) == ["web.log", "web.log.1"]


def test_what_is_said_again_is_not_told_again_for_a_while(monkeypatch: pytest.MonkeyPatch):
    repeats = logs.Repeats()
    said = [
        "2026-11-22 12:00:01,000 WARNING psycopg.pool [-] discarding <Connection [BAD] at 0x7f4fd75d3e10>",
        "2026-11-22 12:00:02,000 WARNING psycopg.pool [-] discarding <Connection [BAD] at 0x7f4fd45178d0>",
        "2026-11-22 12:00:03,000 ERROR errors [req_d05032af3553475ff4255b6f68d44fee] The database failed",
        "2026-11-22 12:00:04,000 ERROR errors [req_85118e8e54dae37340bf6491362386f4] The database failed",
    ]
    assert repeats.without(said) == said[::2]
    assert repeats.without(said) == []
    monkeypatch.setattr(logs, "REPEATED_S", 0)
    assert repeats.without(said[:1]) == said[:1]
