"""Imports a package without what it imports for everybody, and nothing here uses."""

import importlib
import sys
from types import ModuleType


class _StandIn(ModuleType):
    """Has every name that is imported from it."""

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return Exception


def import_without(package: str, *left_out: str) -> None:
    """For the process, before anything else imports the package. What is left out can be imported later."""
    if package in sys.modules:
        return
    instead = {name: _StandIn(name) for name in left_out if not sys.modules.get(name)}
    sys.modules.update(instead)
    try:
        importlib.import_module(package)
    finally:
        for name in instead:
            sys.modules.pop(name, None)
