"""The library `cel` without its command line, which would load typer, rich and prompt_toolkit everywhere."""

import sys
from types import ModuleType

sys.modules.setdefault("cel.cli", ModuleType("cel.cli"))

import cel  # noqa: E402

__all__ = ["cel"]
