"""What a line of the log says of the work that it is about: contextvars, which tasks and threads inherit."""

from collections.abc import Mapping
from contextvars import ContextVar

NONE = "-"

request_id: ContextVar[str] = ContextVar("request_id", default=NONE)
key_prefix: ContextVar[str] = ContextVar("key_prefix", default=NONE)
run_id: ContextVar[str] = ContextVar("run_id", default=NONE)
task: ContextVar[str] = ContextVar("task", default=NONE)

VARIABLES = {"request_id": request_id, "key": key_prefix, "run_id": run_id, "task": task}


def given() -> dict[str, str]:
    """Returns what is known of the present work, by names that `take` and JSON logs have."""
    return {name: value for name, variable in VARIABLES.items() if (value := variable.get()) != NONE}


def take(known: Mapping[str, str]) -> None:
    """Has the present task or thread log what `given` returned elsewhere."""
    for name, variable in VARIABLES.items():
        variable.set(known.get(name, NONE))
