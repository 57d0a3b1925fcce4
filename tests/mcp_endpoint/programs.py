"""Servers and clients on version 1 of the SDK for Python, in an environment of their own."""

from pathlib import Path

from tests.clients.worlds import ROOT, Python
from tests.services import PROGRAMS


class Programs(Python):
    folder = Path(__file__).parent / "python"
    lock = folder / "requirements.lock"
    installed = ROOT / ".venv-mcp"
    program = PROGRAMS
