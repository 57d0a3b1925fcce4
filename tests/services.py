"""A pytest plugin: real PostgreSQL and Redis for the whole run, started before Django's settings load.

They are those of `make up`, in a temporary folder, unless DATABASE_URL or REDIS_URL name others. The other
settings are set here too, so that no test reaches a developer's data or a real LLM.
"""

import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from config.runner import postgres, redis
from config.runner.processes import Running, Service
from tests import ports

# Containers often keep no bytecode: each of the hundreds of processes that tests start would compile.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

MISSING = ["no-such-command", "no-such-command-5f1c", "no-such-command-here", "/nonexistent/program"]
PROGRAMS = str(Path(__file__).parent.parent / ".venv-mcp" / "bin" / "python")
"""What runs well-known servers: see tests/mcp_endpoint/programs.py."""
COMMANDS = ["uvx", "npx", "python", "python3", "node", "mcp-server-time", sys.executable, PROGRAMS, *MISSING]


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Iterator[None]:
    """A wrapper, because pytest-django's own hook loads the settings: wrappers run first."""
    services = ExitStack()
    early_config.add_cleanup(services.close)
    prepare_environment(services)
    yield


def prepare_environment(services: ExitStack) -> None:
    folder = Path(tempfile.mkdtemp(prefix="mcp-connector-tests-"))
    services.callback(shutil.rmtree, folder, ignore_errors=True)
    os.environ |= {
        "DATA_DIR": str(folder),
        "SECRET_KEY": secrets.token_urlsafe(48),
        "SECRET_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "OPENAI_API_KEY": "",
        "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",  # discard: refuses at once
        "MCP_ALLOWED_COMMANDS": ",".join(COMMANDS),
        ports.VARIABLE: ports.reserve(),
    }
    if not os.environ.get("DATABASE_URL"):
        start(postgres.service(folder / "postgres", durable=False), folder, services)
    if not os.environ.get("REDIS_URL"):
        start(redis.service(folder / "redis"), folder, services)


def start(service: Service, folder: Path, services: ExitStack) -> None:
    program = service.program()
    running = Running(program, folder / f"{program.name}.log")
    services.callback(running.stop, timeout_s=5)
    running.wait_until(service.is_ready, timeout_s=90)
    os.environ |= service.environment
