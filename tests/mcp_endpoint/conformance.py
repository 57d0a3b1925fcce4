"""Runs the official conformance suite (npm: @modelcontextprotocol/conformance) and reads its checks.

It cannot send a header of ours: see tests/mcp_endpoint/keyed.py for servers that want a key.
"""

import asyncio
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.clients.worlds import ROOT, Node

DEADLINE_S = 240
EXTENSION = "tasks-"
"""Scenarios of an extension, which no server of ours offers."""
_FINISHED_AT = re.compile(r"-\d{4}-\d\d-\d\dT[-\dZ]+$")


class Packages(Node):
    """The suite in two versions, and the Node that they need, which is newer than a machine's may be."""

    folder = Path(__file__).parent / "node"
    lock = folder / "package-lock.json"
    installed = folder / "node_modules"

    @classmethod
    def program(cls) -> Path | None:
        """Node 24 for this machine; None where npm has none."""
        return next(cls.installed.glob("node-*/bin/node"), None)


@dataclass(frozen=True)
class Suite:
    """A version of the suite, and what it asks of a server or a client."""

    package: str
    requirements: str = ""
    """A revision of MCP, whose frozen list of scenarios is run; otherwise those that are active."""

    @property
    def options(self) -> list[str]:
        return ["--requirements", self.requirements] if self.requirements else []

    def scored(self, side: str) -> set[str] | None:
        """The scenarios that count for the requirements; None if all do."""
        if not self.requirements:
            return None
        lists = Packages.installed / self.package / "requirements" / f"{self.requirements}.yaml"
        return {*yaml.safe_load(lists.read_text())[side]}


ACTIVE = Suite("conformance-0.1")
SESSIONS = Suite("conformance-0.2", "2025-11-25")
STATELESS = Suite("conformance-0.2", "2026-07-28")


@dataclass(frozen=True)
class Check:
    """One check of a scenario. `status`: SUCCESS, FAILURE, WARNING, SKIPPED or INFO."""

    scenario: str
    name: str
    status: str
    message: str
    is_scored: bool

    @property
    def is_wrong(self) -> bool:
        return self.status in {"FAILURE", "WARNING"}


def wrong(checks: Sequence[Check]) -> list[Check]:
    """The checks that went wrong."""
    return [check for check in checks if check.is_wrong and not check.scenario.startswith(EXTENSION)]


async def check_server(suite: Suite, url: str, folder: Path) -> list[Check]:
    """Checks the server at `url`, which has to be on this machine. `folder`: an empty one, for results."""
    return await _run(suite, "server", ["--url", url], folder)


async def check_client(suite: Suite, command: str, folder: Path) -> list[Check]:
    """Checks the client that `command` starts, with a server's URL behind it."""
    options = ["--command", command, "--timeout", str(DEADLINE_S * 1000)]
    return await _run(suite, "client", options, folder)


async def _run(suite: Suite, side: str, options: Sequence[str], folder: Path) -> list[Check]:
    node = Packages.program()
    assert node is not None
    script = Packages.installed / suite.package / "dist" / "index.js"
    process = await asyncio.create_subprocess_exec(
        *[node, script, side, *options, *suite.options, "-o", folder],
        cwd=ROOT,
        env=os.environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(DEADLINE_S):
            said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    checks = _read(folder, suite.scored(side))
    assert checks, said.decode()[-4000:]
    return checks


def _read(folder: Path, scored: set[str] | None) -> list[Check]:
    return [
        _check(each, scenario, scored is None or scenario in scored)
        for path in sorted(folder.glob("**/checks.json"))
        for scenario in [_scenario(path.parent.relative_to(folder))]
        for each in json.loads(path.read_text())
    ]


def _scenario(results: Path) -> str:
    """The name of the folder is the scenario's, behind the side in the case of servers, and before a time."""
    return _FINISHED_AT.sub("", str(results)).removeprefix("server-")


def _check(check: dict[str, Any], scenario: str, is_scored: bool) -> Check:
    return Check(scenario, check["name"], check["status"], check.get("errorMessage") or "", is_scored)
