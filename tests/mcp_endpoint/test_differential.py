"""Well-known servers answer through the endpoint what they answer directly, in both eras.

But for calls that reach no server: of tools that it does not have, or with arguments that are wrong.
"""

import asyncio
import json
import re
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from mcp import MCPError, StdioServerParameters
from mcp.client.client import Client
from pydantic import BaseModel

from tests.assistants.mcp_endpoint.clients import ERAS, connected
from tests.clients.worlds import Locked
from tests.mcp_endpoint.conformance import Packages
from tests.mcp_endpoint.programs import Programs
from tests.stack import Stack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]  # the first run installs
OF_AN_ERA = ("resultType", "ttlMs", "cacheScope")
"""What results of the stateless era have."""
TIME = re.compile(r"\d+:\d\d:\d\d\s[AP]M")
Call = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Known:
    """A server. `arguments` and `environment` for a folder of its own, which is the same for both."""

    command: str
    arguments: Callable[[Path], list[str]]
    calls: Callable[[Path], list[Call]]
    world: type[Locked] = Packages
    environment: Callable[[Path], dict[str, str]] = field(default=lambda _: {})


def of_node(package: str) -> str:
    return str(Packages.installed / "@modelcontextprotocol" / package / "dist" / "index.js")


def of_everything(_: Path) -> list[Call]:
    return [
        ("echo", {"message": "é ☃"}),
        ("get-sum", {"a": 1, "b": 2.5}),
        ("get-tiny-image", {}),
        *(
            ("get-annotated-message", {"messageType": kind, "includeImage": True})
            for kind in ("error", "debug")
        ),
        ("get-structured-content", {"location": "Chicago"}),
        ("get-resource-links", {"count": 3}),
        ("get-resource-reference", {"resourceType": "Text", "resourceId": 1}),
        ("trigger-long-running-operation", {"duration": 0.4, "steps": 2}),
    ]


def of_files(folder: Path) -> list[Call]:
    here = str(folder)
    return [
        ("write_file", {"path": f"{here}/b.txt", "content": "one\ntwo\n"}),
        ("read_text_file", {"path": f"{here}/a.txt"}),
        ("read_text_file", {"path": f"{here}/a.txt", "head": 1}),
        ("read_media_file", {"path": f"{here}/pixel.png"}),
        ("read_multiple_files", {"paths": [f"{here}/a.txt", f"{here}/none.txt"]}),
        (
            "edit_file",
            {"path": f"{here}/b.txt", "edits": [{"oldText": "two", "newText": "2"}], "dryRun": True},
        ),
        ("list_directory", {"path": here}),
        ("directory_tree", {"path": here}),
        ("search_files", {"path": here, "pattern": "*.txt"}),
        ("get_file_info", {"path": f"{here}/a.txt"}),
        ("read_text_file", {"path": "/etc/passwd"}),
        ("list_allowed_directories", {}),
    ]


def of_memory(_: Path) -> list[Call]:
    ada = {"name": "Ada", "entityType": "person", "observations": ["writes"]}
    knows = {"from": "Ada", "to": "Babbage", "relationType": "knows"}
    return [
        ("create_entities", {"entities": [ada, {**ada, "name": "Babbage"}]}),
        ("create_relations", {"relations": [knows]}),
        ("add_observations", {"observations": [{"entityName": "Ada", "contents": ["counts", "writes"]}]}),
        ("add_observations", {"observations": [{"entityName": "nobody", "contents": ["x"]}]}),
        ("read_graph", {}),
        ("search_nodes", {"query": "count"}),
        ("open_nodes", {"names": ["Babbage"]}),
        ("delete_entities", {"entityNames": ["Ada", "Babbage"]}),
        ("read_graph", {}),
    ]


def of_time(_: Path) -> list[Call]:
    zones = {"source_timezone": "Asia/Shanghai", "target_timezone": "Europe/Berlin"}
    return [
        ("convert_time", {**zones, "time": "25:00"}),
        ("get_current_time", {"timezone": "Mars/Olympus"}),
    ]


def of_git(folder: Path) -> list[Call]:
    repository = {"repo_path": str(folder)}
    return [
        ("git_status", repository),
        ("git_log", {**repository, "max_count": 5}),
        ("git_show", {**repository, "revision": "HEAD"}),
        ("git_diff_unstaged", repository),
        ("git_branch", {**repository, "branch_type": "local"}),
        ("git_show", {**repository, "revision": "none"}),
        ("git_status", {"repo_path": "/"}),
    ]


KNOWN = {
    "everything": Known("node", lambda _: [of_node("server-everything"), "stdio"], of_everything),
    "filesystem": Known("node", lambda folder: [of_node("server-filesystem"), str(folder)], of_files),
    "memory": Known(
        "node",
        lambda _: [of_node("server-memory")],
        of_memory,
        environment=lambda folder: {"MEMORY_FILE_PATH": str(folder / "memory.jsonl")},
    ),
    "time": Known(Programs.program, lambda _: ["-m", "mcp_server_time"], of_time, Programs),
    "git": Known(Programs.program, lambda _: ["-m", "mcp_server_git"], of_git, Programs),
}


@dataclass(frozen=True)
class Registered:
    known: Known
    folder: Path
    url: str


@pytest.fixture(scope="module")
def manager(stack: Stack) -> str:
    return stack.key("Differential", can_manage=True, can_call_assistant=False).key


@pytest.fixture(scope="module", params=KNOWN)
def server(request: pytest.FixtureRequest, stack: Stack, tmp_path_factory: Any) -> Registered:
    known = KNOWN[request.param]
    if (reason := known.world.missing()) is not None:
        pytest.skip(reason)
    known.world({})
    folder = tmp_path_factory.mktemp(request.param)
    furnish(folder)
    row = stack.server(
        f"Known {request.param}",
        command=known.command,
        args=known.arguments(folder),
        env=known.environment(folder),
    )
    return Registered(known, folder, f"{stack.url}/mcp/s/{row.slug}")


def furnish(folder: Path) -> None:
    """Puts files into a folder, as a repository of git."""
    (folder / "a.txt").write_text("first\nsecond\n")
    (folder / "pixel.png").write_bytes(b"\x89PNG\r\n")
    who = ["-c", "user.name=tests", "-c", "user.email=tests@example.com", "-c", "init.defaultBranch=main"]
    for command in (["init"], ["add", "a.txt"], ["commit", "-m", "The first one"]):
        subprocess.run(["git", *who, *command], cwd=folder, check=True, capture_output=True)
    (folder / "a.txt").write_text("first\nsecond\nthird\n")


@asynccontextmanager
async def directly(server: Registered) -> AsyncIterator[Client]:
    known, folder = server.known, server.folder
    program = StdioServerParameters(
        command=known.command, args=known.arguments(folder), env=known.environment(folder)
    )
    async with Client(program, mode="auto") as client:
        yield client


async def seen(connecting: AbstractAsyncContextManager[Client], calls: list[Call]) -> dict[str, Any]:
    """All that a client sees of a server: its lists, and what it answers to `calls`, one after the other."""
    async with connecting as client:
        lists = (
            client.list_tools,
            client.list_prompts,
            client.list_resources,
            client.list_resource_templates,
        )
        found = {each.__name__: await listed(each) for each in lists}
        for number, (name, arguments) in enumerate(calls):
            found[f"{number} {name}"] = await answered(client.call_tool(name, arguments))
        for resource in found["list_resources"][:3]:
            found[f"read {resource['uri']}"] = await answered(client.read_resource(resource["uri"]))
        for prompt in found["list_prompts"]:
            if not any(each.get("required") for each in prompt.get("arguments", ())):
                found[f"get {prompt['name']}"] = await answered(client.get_prompt(prompt["name"]))
    return found


async def listed(method: Callable[[], Any]) -> list[dict[str, Any]]:
    """Sorted by name; nothing where the server has no such list. Whether tools run as tasks is left out."""
    try:
        result = wire(await method())
    except MCPError:
        return []
    [entries] = (value for value in result.values() if isinstance(value, list))
    known = [{name: value for name, value in entry.items() if name != "execution"} for entry in entries]
    return sorted(known, key=lambda entry: entry["name"])


async def answered(request: Any) -> dict[str, Any]:
    try:
        return wire(await request)
    except MCPError as error:
        return wire(error.error)


def wire(result: BaseModel) -> dict[str, Any]:
    """Returns a result without what depends on the era, or on the time of day."""
    dumped = json.loads(TIME.sub("noon", result.model_dump_json(by_alias=True, exclude_unset=True)))
    meta = {
        name: value for name, value in (dumped.pop("_meta", None) or {}).items() if "serverInfo" not in name
    }
    return {name: value for name, value in dumped.items() if name not in OF_AN_ERA} | (
        {"_meta": meta} if meta else {}
    )


@pytest.mark.parametrize("era", ERAS)
def test_it_answers_the_same_through_the_endpoint(server: Registered, manager: str, era: str) -> None:
    calls = server.known.calls(server.folder)
    expected = asyncio.run(seen(directly(server), calls))
    found = asyncio.run(seen(connected(server.url, manager, era=era), calls))
    assert expected["list_tools"]
    for what, answer in expected.items():
        assert found[what] == answer, what
    assert found.keys() == expected.keys()
