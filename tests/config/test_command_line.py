"""The command line of a fresh clone: no environment, no .env, nothing installed but the first lock."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


def manage(*words: str, data_dir: Path) -> subprocess.CompletedProcess[str]:
    return run(*words, env={"PATH": os.environ["PATH"], "DATA_DIR": str(data_dir)})


def run(*words: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("words", [["help"], ["--help"], []])
def test_help_lists_our_commands_before_djangos_with_a_line_each(words: list[str], tmp_path: Path) -> None:
    result = manage(*words, data_dir=tmp_path)
    assert result.returncode == 0, result.stderr
    ours, _, djangos = result.stdout.partition("\nDjango and its packages:\n")
    assert "  up                        Run everything on this machine" in ours
    assert "  create_key                Issue an API key\n" in ours
    assert "  migrate                   Bring the database to this version" in ours
    assert "  showmigrations            Shows all available migrations" in djangos
    assert all(len(line.split()) > 1 for line in djangos.splitlines())


@pytest.mark.parametrize("words", [["up", "--help"], ["up", "-h"], ["help", "up"]])
def test_up_describes_itself_and_what_it_reads(words: list[str], tmp_path: Path) -> None:
    result = manage(*words, data_dir=tmp_path / "unused")
    assert result.returncode == 0, result.stderr
    assert {"HOST,", "PORT", "DATA_DIR", "DATABASE_URL,", "OPENAI_MODEL"} <= set(result.stdout.split())
    assert not (tmp_path / "unused").exists()


def test_up_refuses_options_that_it_does_not_have(tmp_path: Path) -> None:
    result = manage("up", "--port", "80", data_dir=tmp_path / "unused")
    assert result.returncode == 2
    assert "unrecognized arguments: --port 80" in result.stderr
    assert not (tmp_path / "unused").exists()


def test_a_command_describes_itself_without_any_setting(tmp_path: Path) -> None:
    assert "--assistant SLUG" in manage("create_key", "--help", data_dir=tmp_path).stdout


@pytest.mark.parametrize("reason", ["No space left on device", "Broken pipe"])
def test_output_that_nobody_can_take_is_said_in_a_line(reason: str, tmp_path: Path) -> None:
    reader, pipe = os.pipe()
    os.close(reader)
    full = os.open("/dev/full", os.O_WRONLY)
    out = {"Broken pipe": pipe, "No space left on device": full}[reason]
    ended = subprocess.run(
        [sys.executable, "manage.py", "help"],
        env={"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path)},
        stdout=out,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(pipe)
    os.close(full)
    assert ended.returncode == 1
    assert ended.stderr == f"What the command prints cannot be written: {reason}.\n"


def test_a_command_that_somebody_stops_ends_without_a_traceback() -> None:
    stopped = "import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(30)"
    ended = run("shell", "--no-imports", "-c", stopped, env=os.environ)
    assert (ended.returncode, ended.stderr) == (130, "Stopped.\n")


@pytest.mark.parametrize("words", [["export_config"], ["backup", "{folder}/backup.zip"], ["migrate"]])
def test_a_database_that_is_away_is_said_once(words: list[str], tmp_path: Path) -> None:
    ended = run(
        *(word.format(folder=tmp_path) for word in words),
        env=os.environ | {"DATABASE_URL": "postgresql://u:hush@127.0.0.1:1/d", "DATA_DIR": str(tmp_path)},
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("MCP Connector cannot run: ")
    assert ended.stderr.count("\n") <= 3, ended.stderr
    assert ended.stderr.count("Connection refused") == 1
    assert "hush" not in ended.stderr


@pytest.mark.parametrize("words", [["export_config"], ["search_tools", "x"]])
def test_a_database_that_refuses_is_not_called_away(words: list[str], db: None) -> None:
    base, _, query = os.environ["DATABASE_URL"].partition("?")
    ended = run(*words, env=os.environ | {"DATABASE_URL": f"{base.rpartition('/')[0]}/no_such?{query}"})
    assert ended.returncode == 1
    assert ended.stderr.startswith("MCP Connector cannot run: ")
    assert ended.stderr.endswith('FATAL:  database "no_such" does not exist\n')
