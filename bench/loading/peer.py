"""LiteLLM's proxy beside us, installed apart from our locks: the same upstreams, one worker, no database."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.figures import NotMeasured
from bench.loading.loads import Load
from bench.loading.product import ECHO, Behind
from bench.loading.targets import Ask, Target, chat, mcp
from bench.web import is_healthy, start_program
from config.runner.network import free_port
from tests.chaos.world import ROOT, World, wait_for

VERSION = "1.108.7"
FOLDER = ROOT / ".data" / "cache" / f"litellm-{VERSION}"
UV = Path(sys.executable).with_name("uv")
KEY = "sk-bench"
STARTS_WITHIN_S = 300.0
ENVIRONMENT = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # asks nobody for prices
    "LITELLM_ENABLE_MCP_STDIO": "true",
}
OURS = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY")
"""Variables of ours that it would take for its own."""
MOST_CALLERS = {"long": 1, "list-1000": 1, "tool-stdio": 16, "call-stdio": 16}
"""With more callers at once an answer takes a minute: it starts a process for each call over stdio."""


def start(world: World, behind: Behind) -> Target:
    """Installs it if need be, and starts it. Raises NotMeasured with the reason if that fails."""
    _install()
    port = free_port()
    config = world.folder / "litellm.yaml"
    config.write_text(json.dumps(_configuration(behind)))  # JSON is YAML
    command = ["env", *(part for name in OURS for part in ("-u", name)), str(FOLDER / "bin" / "litellm")]
    command += ["--config", str(config), "--host", "127.0.0.1", "--port", str(port), "--telemetry", "False"]
    start_program(world, "litellm", command, ENVIRONMENT)
    url = f"http://127.0.0.1:{port}"
    helper = world.helpers[-1]
    try:
        wait_for(
            lambda: not helper.is_alive or is_healthy(url, "/health/readiness"),
            within_s=STARTS_WITHIN_S,
            what="LiteLLM is ready",
        )
    except TimeoutError as late:
        raise NotMeasured(str(late)) from late
    if not helper.is_alive:
        raise NotMeasured(f"LiteLLM {VERSION} ends at its start: {helper.last_words()}")
    headers = {
        "authorization": f"Bearer {KEY}",
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
    }
    return LiteLLM(f"LiteLLM {VERSION}", port, {"web": [helper.pid]}, headers)


class LiteLLM(Target):
    def asks(self, load: Load) -> Sequence[Ask]:
        match load.kind:
            case "chat" if load.server:
                return [chat(load, load.model, tools=[_tool(load)])]
            case "chat":
                return [chat(load, load.model)]
            case "mcp":
                return [mcp(load, f"/{_server(load)}/mcp")]
        return []

    def allows(self, load: Load, callers: int) -> bool:
        return bool(self.asks(load)) and callers <= MOST_CALLERS.get(load.key, callers)


def _tool(load: Load) -> dict[str, str]:
    url = f"litellm_proxy/mcp/one{load.server}"
    return {"type": "mcp", "server_url": url, "server_label": "litellm", "require_approval": "never"}


def _server(load: Load) -> str:
    return "all" + load.server.replace("-", "")


def _configuration(behind: Behind) -> dict[str, Any]:
    models = ("chunks-1", "chunks-20", "chunks-2000", "tool-1")
    api = {"api_base": f"{behind.llm_url}/v1", "api_key": "none"}
    stdio = {"transport": "stdio", "command": sys.executable, "args": ECHO}
    http = {"transport": "http", "url": f"{behind.mcp_url}/mcp"}
    one = {"allowed_tools": ["echo7"]}
    return {
        "model_list": [
            {"model_name": model, "litellm_params": {"model": f"openai/{model}", **api}} for model in models
        ],
        "general_settings": {"master_key": KEY},
        "mcp_servers": {
            "allstdio": stdio,
            "onestdio": {**stdio, **one},
            "allhttp": http,
            "onehttp": {**http, **one},
            "allhttp1000": {**http, "url": f"{behind.mcp_url}/mcp/1000"},
        },
    }


def _install() -> None:
    if (FOLDER / "bin" / "litellm").exists():
        return
    print(f"Installing LiteLLM {VERSION} into {FOLDER.relative_to(ROOT)}", flush=True)
    for command in (
        ["venv", "--clear", "--python", sys.executable, str(FOLDER)],
        ["pip", "install", "--python", str(FOLDER / "bin" / "python"), f"litellm[proxy]=={VERSION}"],
    ):
        done = subprocess.run(
            [UV, "--quiet", *command], cwd=ROOT, capture_output=True, text=True, check=False
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise NotMeasured(f"LiteLLM {VERSION} cannot be installed: {last}")
