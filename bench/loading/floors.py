"""Floors: what a gateway on the same libraries cannot undercut, because it does nothing but pass on."""

import sys
from collections.abc import Sequence
from pathlib import Path

from bench.loading.loads import Load
from bench.loading.product import Behind
from bench.loading.targets import Ask, Target
from bench.web import start_program
from config.runner.network import accepts, free_port
from tests.chaos.world import ROOT, World

JSON = {"content-type": "application/json"}
NO_GATEWAY = "without a gateway"
FLOORS = {"bare aiohttp": "floor_aiohttp.py", "bare Django view": "floor_django.py"}


def start(world: World, behind: Behind) -> list[Target]:
    return [
        _start(world, behind, name, ROOT / "bench" / "loading" / script) for name, script in FLOORS.items()
    ]


class Upstream(Target):
    """The LLM service itself: what one caller waits for without a gateway."""

    def asks(self, load: Load) -> Sequence[Ask]:
        return super().asks(load) if load.kind == "chat" else []


def upstream(behind: Behind) -> Target:
    return Upstream(NO_GATEWAY, behind.llm, {}, most_callers=1, share=0.5)


def _start(world: World, behind: Behind, name: str, script: Path) -> Target:
    port = free_port()
    command = [sys.executable, "-P", str(script), str(port), behind.llm_url, behind.mcp_url]
    start_program(world, name, command, is_ready=lambda: accepts(port))
    return Target(name, port, {"web": [world.helpers[-1].pid]}, JSON, share=0.5)
