"""What the runner imports for the processes that are forks of it.

What one of them imports by itself costs memory in that one. What two do belongs here: it is there once, and a
fork starts without it.
"""

import gc
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from enum import EnumType
from importlib import import_module
from types import GeneratorType, ModuleType, NoneType, SimpleNamespace
from typing import Any, cast

from click import ParamType
from cryptography.fernet import Fernet
from django.utils.module_loading import import_string

from config.runner.code_pages import let_go

# What these import on their first use is named, too.
PRELOADED = (
    "anyio._backends._asyncio",
    "billiard.pool",
    "celery.app.amqp",
    "celery.app.control",
    "celery.app.events",
    "celery.app.log",
    "celery.apps.worker",
    "celery.beat",
    "celery.bin.celery",
    "celery.concurrency.thread",
    "celery.events",
    "celery.worker.autoscale",
    "celery.worker.components",
    "celery.worker.consumer",
    "celery.worker.consumer.delayed_delivery",
    "celery.worker.strategy",
    "config.consumer",
    "config.fit_database",
    "config.metrics_server",
    "config.task_metrics",
    "connector.supervisor.worker",
    "psycopg_pool",
    "uvicorn.lifespan.on",
    "uvicorn.loops.auto",
    "uvicorn.loops.uvloop",
    "uvicorn.main",
    "config.asgi",  # the last: it has garbage collected again
)
# What collections.Counter, click, and Django for a field of a model ask first.
ASKED: tuple[tuple[type, Any], ...] = (
    (GeneratorType, Mapping),
    (EnumType, ParamType),
    (NoneType, Iterable),
    (NoneType, Callable),
)


@contextmanager
def loading() -> Iterator[None]:
    """Meanwhile this process imports what the product's processes need, for them to be forks of it."""
    gc.disable()
    with left_out():
        yield
    # Memory that is freed here each child would fill, and no longer share: nothing is collected before.
    gc.freeze()
    gc.enable()
    let_go()


def preload() -> None:
    celery = import_string("config.celery.app")
    celery.loader.init_worker()
    celery.finalize()
    for module in PRELOADED:
        import_module(module)
    touch()


def touch() -> None:
    """Does once what makes each fork write to memory that it would otherwise share: 2 MB of each."""
    # An abstract class asks all that inherit from it, once for each kind, which counts references to them.
    for kind, abstract in ASKED:
        issubclass(kind, abstract)
    fernet = Fernet(Fernet.generate_key())
    fernet.decrypt(fernet.encrypt(b""))  # now OpenSSL has its ciphers


class _Later(ModuleType):
    """Stands in for a module: what is asked of it, once nothing is left out any more, has it imported."""

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            raise AttributeError(name)
        return getattr(import_module(self.__name__), name)


def _request_factory() -> Any:
    """For drf_spectacular, once it describes the API: by then this can be imported again."""
    return import_string("rest_framework.test.APIRequestFactory")()


@contextmanager
def left_out() -> Iterator[None]:
    """Meanwhile nobody can import what libraries would use if it were there, in every process: 25 MB."""
    instead: dict[str, ModuleType | SimpleNamespace | None] = {
        "click_repl": SimpleNamespace(register_repl=lambda _: None),  # Celery needs this one
        "greenlet": None,
        "jwt": _Later("jwt"),  # the MCP SDK's, for one way of authorization
        "opentelemetry.sdk.metrics": None,
        "pygments": None,
        "requests": None,
        "rest_framework.test": SimpleNamespace(APIRequestFactory=_request_factory),
        "sqlparse": _Later("sqlparse"),  # Django's, for migrations in SQL
        "watchfiles": None,
    }
    modules = cast(dict[str, ModuleType | SimpleNamespace | None], sys.modules)
    modules.update(instead)
    yield
    for name in instead:
        modules.pop(name, None)
