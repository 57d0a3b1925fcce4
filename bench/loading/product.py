"""The product under load: a web process, a worker, PostgreSQL and Redis, and what its loads need."""

import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from django.conf import settings
from django.urls import reverse
from django.utils.http import urlencode

from assistants import actions as assistant_actions
from bench import installation, processor
from bench.loading import many_tools
from bench.loading.http import Connection, request
from bench.loading.loads import Load
from bench.loading.targets import Ask, Target, chat, mcp
from bench.people import session_of_a_superuser
from bench.scene import start_worker
from bench.web import BY, Caller, start_program, start_web
from config.runner.network import accepts, free_port
from tests.chaos.world import ROOT, World, wait_for
from tools import actions
from tools.models import MCPTool, Status

UPSTREAM = str(ROOT / "bench" / "upstream.py")
# -P: what stands beside the script would hide packages of the same name.
ECHO = ["-P", UPSTREAM, "stdio"]
THOUSAND = "/mcp/a/thousand?tools=all"
"""The endpoint of an assistant: a server offers 500 tools at most."""
HISTORY = installation.Size(servers=500, keys=500, runs=20_000)
LISTS = ("tools_mcptool", "assistants_assistant", "assistants_run", "apikeys_apikey")


@dataclass(frozen=True, slots=True)
class Behind:
    """What stands behind every target: the ports of the LLM service and of the MCP server over HTTP."""

    llm: int
    mcp: int

    @property
    def llm_url(self) -> str:
        return f"http://127.0.0.1:{self.llm}"

    @property
    def mcp_url(self) -> str:
        return f"http://127.0.0.1:{self.mcp}"


def start_behind(world: World) -> Behind:
    behind = Behind(free_port(), free_port())
    allow(behind.mcp, behind.llm)
    for name, port in (("llm", behind.llm), ("mcp", behind.mcp)):
        command = [sys.executable, "-P", UPSTREAM, name, str(port)]
        start_program(world, f"upstream-{name}", command, is_ready=partial(accepts, port))
    return behind


def allow(*ports: int) -> None:
    """Lets this process, and those that it starts from now on, call services at these ports."""
    settings.ALLOWED_PRIVATE_HOSTS = [
        *settings.ALLOWED_PRIVATE_HOSTS,
        *(f"127.0.0.1:{port}" for port in ports),
    ]
    os.environ["ALLOWED_PRIVATE_HOSTS"] = ",".join(settings.ALLOWED_PRIVATE_HOSTS)


def start(world: World, behind: Behind) -> "Product":
    """Starts the processes, and waits until every MCP server runs."""
    start_worker(world)
    web = start_web(world)
    _register_servers(behind)
    wait_for(all_run, within_s=60, what="all servers run")
    _add_assistants(web, behind)
    return Product(
        "MCP Connector",
        int(web.url.rpartition(":")[2]),
        processor.ours(world),
        {
            "authorization": f"Bearer {web.key.key}",
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
        },
        settles_s=0.6,
        world=world,
        web=web,
    )


@dataclass(slots=True)
class Product(Target):
    """The product. What only some loads need is added when the first of them is prepared."""

    world: World | None = None
    web: Caller | None = None
    _queries: list[str] = field(default_factory=list)
    _is_indexed: bool = False

    def asks(self, load: Load) -> Sequence[Ask]:
        match load.kind:
            case "chat":
                return [chat(load, load.assistant or (f"tool-{load.server}" if load.server else load.model))]
            case "mcp":
                return [mcp(load, THOUSAND if load.server == "http-1000" else f"/mcp/s/echo-{load.server}")]
            case "search":
                return [Ask("GET", _search(query)) for query in self._queries]
            case "console":
                return [Ask("GET", reverse(f"admin:{name}_changelist")) for name in LISTS]

    def prepare(self, load: Load) -> None:
        if load.kind == "search" and not self._queries:
            self._queries = many_tools.add()
            asyncio.run(self._ask_each(load))  # then the vectors of the texts are in memory
        if load.assistant and not self._is_indexed:
            many_tools.index()
            self._is_indexed = True
        if load.kind == "console" and "cookie" not in self.headers:
            self.headers["cookie"] = f"{settings.SESSION_COOKIE_NAME}={session_of_a_superuser()}"
            if self.world:
                self.world.stop_workers()  # or they would try to start the servers of the rows
            installation.fill(HISTORY)

    async def _ask_each(self, load: Load) -> None:
        connection = Connection(self.port)
        for ask in self.asks(load):
            await connection.exchange(request(ask.method, ask.path, self.headers, ask.body))
        connection.close()


def _search(query: str) -> str:
    return "/api/v1/mcp-tools/search?" + urlencode({"q": query, "assistant": "everything", "limit": "10"})


def all_run() -> bool:
    return not MCPTool.objects.filter(is_enabled=True).exclude(status=Status.RUNNING).exists()


def _register_servers(behind: Behind) -> None:
    actions.register(by=BY, name="echo-stdio", connection_type="stdio", command=sys.executable, args=ECHO)
    for name, path in (("echo-http", "/mcp"), ("half-1", "/mcp/500"), ("half-2", "/mcp/500")):
        url = behind.mcp_url + path
        actions.register(by=BY, name=name, connection_type="streamable_http", url=url)


def _add_assistants(web: Caller, behind: Behind) -> None:
    provider = assistant_actions.add_provider(
        by=BY, name="Upstream", base_url=f"{behind.llm_url}/v1", api_key="none", default_model="chunks-1"
    )
    servers = {server.name: server for server in MCPTool.objects.all()}
    halves = [servers["half-1"], servers["half-2"]]
    one, twenty = assistant_actions.ToolUse, [f"echo{number}" for number in range(20)]
    for slug, model, tools, selection in (
        ("chunks-1", "chunks-1", [], "all"),
        ("chunks-20", "chunks-20", [], "all"),
        ("chunks-2000", "chunks-2000", [], "all"),
        ("tool-stdio", "tool-1", [one(servers["echo-stdio"], ["echo7"])], "all"),
        ("tool-http", "tool-1", [one(servers["echo-http"], ["echo7"])], "all"),
        ("thousand", "chunks-1", halves, "all"),
        ("of-20", "chunks-1", [one(servers["half-1"], twenty)], "retrieved"),
        ("of-1000", "chunks-1", halves, "retrieved"),
    ):
        assistant_actions.create(
            by=BY,
            name=slug,
            slug=slug,
            model=model,
            provider=provider,
            tools=tools,
            selection=selection,
            api_keys=[web.key.api_key],
        )
