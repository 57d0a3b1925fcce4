"""`manage.py up`: everything on one machine, from nothing, until Ctrl-C."""

import argparse
import errno
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import django
from django.core.exceptions import ImproperlyConfigured

from config.environment import Environment, load_settings
from config.runner import messages, programs, services
from config.runner.data_dir import DataDir
from config.runner.disk import shortage
from config.runner.options import Options, data_folder, restoring
from config.runner.preloading import loading, preload
from config.runner.processes import Running, StartFailed
from config.runner.supervisor import Supervisor

BASE_DIR = Path(__file__).resolve().parent.parent.parent
DESCRIPTION = "Run everything on this machine, from nothing, until Ctrl-C."
ENVIRONMENT = """\
The environment, or the file .env, may set among others:
  HOST, PORT                       where the web listens: 127.0.0.1, 8000
  DATA_DIR                         where everything is stored: .data
  DATABASE_URL, REDIS_URL          servers of yours, instead of those that are started here
  OPENAI_BASE_URL, OPENAI_API_KEY, OPENAI_MODEL
                                   an LLM, instead of the offline stand-in
docs/settings.md describes every setting.
"""
EXPECTED = (StartFailed, ImproperlyConfigured)
UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


def main(arguments: Sequence[str]) -> int:
    """Returns the exit status: 0 after Ctrl-C or SIGTERM, 1 with a line on standard error when it cannot run.

    Raises SystemExit after `--help` (0), and for arguments that it does not know (2).
    """
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.without_keys and not given.restore:
        parser.error("--without-keys is for --restore")
    if given.without_keys:
        os.environ["ALLOW_UNREADABLE_SECRETS"] = "true"
    # SIGINT too: a shell starts its background jobs with SIGINT ignored.
    for stopping in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(stopping, signal.default_int_handler)
    try:
        up(arguments)
    except KeyboardInterrupt:
        messages.print_line("Stopped.")
    except EXPECTED as error:
        return _failed(str(error).strip())
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        return _failed(f"{error.strerror}: {error.filename or 'DATA_DIR'}")
    return 0


def _failed(reason: str) -> int:
    messages.progress.clear()
    print(f"MCP Connector cannot run: {reason}", file=sys.stderr)
    if said := shortage(data_folder(base_dir=BASE_DIR)):
        print(said, file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog="manage.py up",
        description=DESCRIPTION,
        epilog=ENVIRONMENT,
        parents=[restoring()],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def up(arguments: Sequence[str] = ()) -> None:
    """Runs everything. The process that prepares the database is given the arguments: what to restore."""
    Environment().read_file(BASE_DIR / ".env")
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
        messages.step("The services start, and the program is loaded")
        known = data_dir.demo(base_url=options.base_url)
        with supervisor.starting(embedded), loading():
            django.setup()
            # Beside the rest, which takes longer. It waits for the database by itself.
            preparing = supervisor.begin(programs.preparing(options.base_url, arguments))
            preload()
        finish_preparation(supervisor, preparing, arguments)
        late = start_product(supervisor, options)
        announce(data_dir, options.base_url, known=known, late=late)
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
    for name in ("SUPERVISOR_DRAIN_S", "WEB_DRAIN_S"):
        os.environ[name] = os.environ.get(name) or "3"


def finish_preparation(supervisor: Supervisor, preparing: Running, arguments: Sequence[str]) -> None:
    """Raises StartFailed."""
    first = "a backup is restored, " if arguments else ""
    messages.step(f"The database is prepared: {first}migrations, static files, the demo")
    if supervisor.finish(preparing).popen.returncode:
        raise StartFailed(preparing.last_output())
    if arguments:
        messages.print_line(preparing.last_output())


def start_product(supervisor: Supervisor, options: Options) -> str:
    """Starts all processes. Returns what is late, or ""."""
    for program in programs.serving(options.host, options.port):
        supervisor.start(program)
    messages.step("The web, the worker and the demo's MCP server start")
    awaited = supervisor.finish(supervisor.begin(programs.awaiting(options.base_url)))
    # Only now, because what they have to do would delay the first chat.
    for program in programs.background():
        supervisor.start(program)
    return awaited.last_output() if awaited.popen.returncode else ""


def announce(data_dir: DataDir, base_url: str, *, known: Mapping[str, str], late: str) -> None:
    messages.running(base_url)
    if demo := data_dir.demo(base_url=base_url):
        is_new = demo["ADMIN_PASSWORD"] != known.get("ADMIN_PASSWORD")
        messages.demo(demo, path=data_dir.demo_env, is_new=is_new)
    if late:
        messages.late(late)
