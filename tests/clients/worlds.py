"""The worlds that clients live in: a language each, with packages of their own."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import uv

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
OLDEST_NODE = 20


class World:
    """Runs code in a client's language, with the client's packages and what `environment` says."""

    folder: Path
    code: Sequence[str]
    tests: Sequence[str] = ()
    needs: Sequence[str] = ()

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = {"UV_SYSTEM_CERTS": "1", **os.environ, **environment}
        self.install()

    @classmethod
    def missing(cls) -> str | None:
        absent = [name for name in cls.needs if shutil.which(name) is None]
        return f"There is no {' and no '.join(absent)} on the PATH." if absent else None

    def install(self) -> None:
        """Nothing, where nothing is needed."""

    def test(self, file: str) -> str:
        """What was said. Raises AssertionError, with that, where a test of `file` failed."""
        return self.call(*self.tests, file)

    def evaluate(self, code: str) -> str:
        """What `code` printed. Raises AssertionError, with that, where it failed."""
        return self.call(*self.code, code)

    def call(self, *command: str) -> str:
        result = subprocess.run(
            command,
            cwd=self.folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=240,
            check=False,
        )
        assert result.returncode == 0, result.stdout[-12_000:]
        return result.stdout


class Shell(World):
    folder = HERE
    code = ("sh", "-c")
    needs = ("curl",)


class Locked(World):
    """A world with packages: installed from a lock, and again whenever that or the language changes."""

    language: str
    lock: Path
    installed: Path

    def install(self) -> None:
        stamp, state = self.installed / ".synced", self._state()
        if not stamp.is_file() or stamp.read_text() != state:
            for step in self.steps():
                self.call(*step)
            stamp.write_text(state)

    def steps(self) -> list[list[str]]:
        raise NotImplementedError

    def _state(self) -> str:
        language = self.call(self.language, "--version")
        return hashlib.sha256(language.encode() + self.lock.read_bytes()).hexdigest()


class Python(Locked):
    folder = HERE / "python"
    lock = folder / "requirements.lock"
    language = sys.executable
    installed = ROOT / ".venv-clients"
    program = str(installed / "bin" / "python")
    tests = (program, "-m", "pytest")
    code = (program, "-c")

    def steps(self) -> list[list[str]]:
        make = ["venv", "--quiet", "--clear", "--python", sys.executable, str(self.installed)]
        sync = ["pip", "sync", "--quiet", "--require-hashes", "--python", self.program, str(self.lock)]
        return [[uv.find_uv_bin(), *make], [uv.find_uv_bin(), *sync]]


class Node(Locked):
    folder = HERE / "node"
    lock = folder / "package-lock.json"
    language = "node"
    installed = folder / "node_modules"
    tests = ("node", "--test", "--test-reporter=spec", "--test-timeout=60000")
    code = ("node", "--input-type=module", "--eval")
    needs = ("node", "npm")

    @classmethod
    def missing(cls) -> str | None:
        return super().missing() or cls._too_old()

    @staticmethod
    def _too_old() -> str | None:
        version = subprocess.run(
            ["node", "--version"], capture_output=True, text=True, check=True
        ).stdout.strip()
        return None if int(version[1:].split(".")[0]) >= OLDEST_NODE else f"Node {version} is too old."

    def steps(self) -> list[list[str]]:
        return [["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"]]
