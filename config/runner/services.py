"""PostgreSQL, Redis and the LLM: servers that the environment does not name are started by the runner."""

import sys
from pathlib import Path

import psycopg
from redis import RedisError

from config.environment import given
from config.runner import postgres, redis
from config.runner.network import accepts, free_port
from config.runner.processes import Program, Service, StartFailed

CONNECT_TIMEOUT_S = 5
LLM = ("OPENAI_API_KEY", "OPENAI_BASE_URL")


def check_given() -> None:
    """Raises StartFailed when a service that the environment names does not answer."""
    if url := given("DATABASE_URL"):
        try:
            psycopg.connect(url, connect_timeout=CONNECT_TIMEOUT_S).close()
        except psycopg.Error as error:
            raise StartFailed(f"DATABASE_URL: {_first_line(error)}") from error
    if url := given("REDIS_URL"):
        try:
            redis.ping(url, timeout_s=CONNECT_TIMEOUT_S)
        except (RedisError, ValueError) as error:
            raise StartFailed(f"REDIS_URL: {_first_line(error)}") from error


def missing(data_dir: Path) -> list[Service]:
    """Returns the services that the environment does not name, in the order of their start."""
    services = []
    if not given("DATABASE_URL"):
        services.append(postgres.service(data_dir / "postgres"))
    if not given("REDIS_URL"):
        services.append(redis.service(data_dir / "redis"))
    if not any(given(name) for name in LLM):
        services.append(_stand_in())
    return services


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def _stand_in() -> Service:
    """Returns the LLM of the demo: it works offline, by matching words."""
    port = free_port()
    serve = (sys.executable, "-m", "uvicorn", "config.standin.app:app", "--no-access-log")
    program = Program("stand-in", [*serve, "--port", str(port)])
    return Service(
        name="a stand-in LLM",
        environment={
            "OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1",
            "OPENAI_API_KEY": "stand-in",
            "OPENAI_MODEL": "stand-in",
        },
        program=lambda: program,
        is_ready=lambda: accepts(port),
    )
