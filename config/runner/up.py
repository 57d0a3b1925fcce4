"""`manage.py up`: everything on one machine, from nothing, until Ctrl-C."""

import argparse
import os
import signal
import sys
from collections.abc import Iterable, Sequence
from io import StringIO
from pathlib import Path

import django
import environ
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection

from config.environment import load_settings
from config.runner import messages, programs, readiness, services
from config.runner.data_dir import DataDir
from config.runner.options import Options
from config.runner.processes import Service, StartFailed
from config.runner.supervisor import Supervisor

BASE_DIR = Path(__file__).resolve().parent.parent.parent
READY_S = 30  # the curl line is printed once it works, or after this time with a warning
DESCRIPTION = "Run everything on this machine, from nothing, until Ctrl-C."
ENVIRONMENT = """\
It takes no options. The environment, or the file .env, may set among others:
  HOST, PORT                       where the web listens: 127.0.0.1, 8000
  DATA_DIR                         where everything is stored: .data
  DATABASE_URL, REDIS_URL          servers of yours, instead of those that are started here
  OPENAI_BASE_URL, OPENAI_API_KEY, OPENAI_MODEL
                                   an LLM, instead of the offline stand-in
docs/settings.md describes every setting.
"""
EXPECTED = (StartFailed, ImproperlyConfigured, CommandError, DatabaseError)


def main(arguments: Sequence[str]) -> int:
    """Returns the exit status: 0 after Ctrl-C or SIGTERM, 1 with a line on standard error when it cannot run.

    Raises SystemExit after `--help` (0), and for any other argument (2).
    """
    _parser().parse_args(arguments)
    # SIGINT too: a shell starts its background jobs with SIGINT ignored.
    for stopping in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(stopping, signal.default_int_handler)
    try:
        up()
    except KeyboardInterrupt:
        print("Stopped.")
    except EXPECTED as error:
        print(f"MCP Connector cannot run: {str(error).strip()}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog="manage.py up",
        description=DESCRIPTION,
        epilog=ENVIRONMENT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def up() -> None:
    environ.Env.read_env(BASE_DIR / ".env")
    options = Options.from_environment(base_dir=BASE_DIR)
    data_dir = DataDir(options.data_dir)
    options.check_port()
    services.check_given()
    embedded = services.missing(data_dir.path)
    environment = {name: value for service in embedded for name, value in service.environment.items()}
    prepare_environment(data_dir.path, environment)
    with data_dir.announced(environment), Supervisor(data_dir.logs, messages.print_line) as supervisor:
        load_settings()
        messages.starting(data_dir.path, [service.name for service in embedded])
        django.setup()
        start_services(supervisor, embedded)
        is_new = prepare_database(options.base_url)
        start_product(supervisor, options)
        announce(data_dir, options.base_url, is_new=is_new)
        supervisor.tend()


def prepare_environment(data_dir: Path, environment: dict[str, str]) -> None:
    """Completes the environment of this process and of all its children."""
    os.environ |= environment
    os.environ["DATA_DIR"] = str(data_dir)
    os.environ["PYTHONUNBUFFERED"] = "1"
    # As in an activated virtual environment: the commands of MCP servers in Python are in this folder.
    os.environ["PATH"] = os.pathsep.join(
        [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    )
    # Of STOP_PROCESSES_S: the rest is for ending what still runs.
    os.environ.setdefault("SUPERVISOR_DRAIN_S", "3")
    os.environ.setdefault("WEB_DRAIN_S", "3")


def start_services(supervisor: Supervisor, embedded: Iterable[Service]) -> None:
    for service in embedded:
        supervisor.start_service(service)


def prepare_database(base_url: str) -> bool:
    """Migrates, and fills an empty database with the demo. Returns whether it was empty."""
    call_command("migrate", verbosity=0, interactive=False)
    call_command("collectstatic", verbosity=0, interactive=False)
    return bool(call_command("demo", base_url=base_url, stdout=StringIO()))


def start_product(supervisor: Supervisor, options: Options) -> None:
    for program in programs.serving(options.host, options.port):
        supervisor.start(program)
    supervisor.tend(until=lambda: readiness.is_ready(options.base_url), timeout_s=READY_S)
    # Only now, because loading them would delay the first chat.
    for program in programs.background(options.data_dir):
        supervisor.start(program)


def announce(data_dir: DataDir, base_url: str, *, is_new: bool) -> None:
    messages.running(base_url)
    if demo := data_dir.demo(base_url=base_url):
        messages.demo(demo, path=data_dir.demo_env, is_new=is_new)
    if not readiness.is_ready(base_url):
        messages.late(readiness.waiting_for())
    connection.close_pool()  # type: ignore[attr-defined] # the runner itself needs the database no more
