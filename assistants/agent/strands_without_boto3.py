"""Loads Strands without boto3, which it imports for everybody: 12 MB of each process. Only Bedrock needs it.

`strands.models.bedrock` is imported anew, with boto3, by `llm/vendor_sdks.py` for a provider of that kind.
"""

import importlib
import sys
from types import ModuleType

_LEFT_OUT = ("boto3", "botocore", "botocore.config", "botocore.exceptions")


class _LeftOut(ModuleType):
    """Has every name that is imported from it."""

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return Exception


def load() -> None:
    """For the process, before anything else imports Strands."""
    if "boto3" in sys.modules:
        return
    sys.modules.update({name: _LeftOut(name) for name in _LEFT_OUT})
    try:
        importlib.import_module("strands")
    finally:
        for name in (*_LEFT_OUT, "strands.models.bedrock"):
            sys.modules.pop(name, None)


load()
