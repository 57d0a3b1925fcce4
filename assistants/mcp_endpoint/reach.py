"""What a key reaches at an address of the endpoint: tools, prompts, resources, the servers behind them."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.conf import settings

from apikeys.errors import CallingRequired
from apikeys.principal import Principal
from assistants.catalogue import cache, servers
from assistants.catalogue.entries import AssistantEntry, FunctionEntry
from assistants.catalogue.servers import ServerOffer
from assistants.errors import ModelNotFound
from assistants.mcp_endpoint import uri_templates
from assistants.mcp_endpoint.addresses import Address
from assistants.mcp_endpoint.protocol import REFUSED, RpcError
from assistants.models import Assistant
from core.feed import FeedCache
from tools.names import public_name
from tools.search import Scope

TABLES = (*cache.TABLES, *servers.TABLES)
_APP_SCHEME = "ui://"
_Entry = TypeVar("_Entry")


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool under the name that clients know; `assistant` is one by which the key may call it."""

    name: str
    function: FunctionEntry
    assistant: AssistantEntry | None


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt under the name that clients know; `definition` is wire JSON, with the server's own name."""

    name: str
    server: ServerOffer
    definition: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource or a template; `definition` is wire JSON."""

    server: ServerOffer
    definition: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Reach:
    """`servers` are those whose resources and prompts are offered, too. `assistants`: all by which the key
    may call tools here; None stands for calls without one.

    Of two servers with a resource of the same URI the first one is asked: a URI must stay as it is, because
    results of tools refer to it.
    """

    title: str
    instructions: str
    assistants: tuple[AssistantEntry | None, ...]
    tools: Mapping[str, Tool]
    servers: tuple[ServerOffer, ...]
    prompts: Mapping[str, Prompt]
    resources: Mapping[str, Resource]
    templates: tuple[Resource, ...]
    searches: bool = False
    """Whether clients are given a search among the tools instead of their definitions."""
    lists: dict[str, bytes] = field(default_factory=dict, repr=False)
    """The lists as JSON, made when a client first asks: see `lists`."""
    by_function: Mapping[tuple[int, str], Tool] = field(init=False, repr=False)
    """The tools by the id of their server and their own name."""
    scope: Scope = field(init=False, repr=False)
    """Its tools, for a search among them."""

    def __post_init__(self) -> None:
        by_function = {(each.function.server_id, each.function.name): each for each in self.tools.values()}
        object.__setattr__(self, "by_function", by_function)
        object.__setattr__(self, "scope", _scope(by_function, {server.id for server in self.servers}))

    def server_of(self, uri: str) -> ServerOffer | None:
        """Returns the server that has a resource; None if none is known to."""
        if uri in self.resources:
            return self.resources[uri].server
        for template in self.templates:
            if uri_templates.matches(str(template.definition["uriTemplate"]), uri):
                return template.server
        # A tool may hand out resources that are in no list; with one server there is no question whose.
        return self.servers[0] if len(self.servers) == 1 else None

    def announces(self, capability: str, part: str = "") -> bool:
        """Whether one of the servers has announced this capability."""
        return any(server.announces(capability, part) for server in self.servers)


def _scope(functions: Iterable[tuple[int, str]], whole: Collection[int]) -> Scope:
    """`whole`: servers of which every tool is reached."""
    names: dict[int, set[str]] = {}
    for server_id, name in functions:
        names.setdefault(server_id, set()).add(name)
    narrowed = {each: frozenset(found) for each, found in names.items() if each not in whole}
    return Scope(frozenset(names), narrowed)


async def find(principal: Principal, address: Address) -> Reach:
    """Returns what the key reaches. Raises RpcError (404) and CallingRequired."""
    if not principal.can_call_assistant and not (address.kind == "server" and principal.can_manage):
        raise CallingRequired
    reach = await _cache.get((principal.id, principal.can_manage, principal.can_call_assistant, address))
    if reach is None:
        # One answer for what does not exist and what is not granted: a key must not learn what else exists.
        message = f"There is no {address.kind} {address.slug!r}, or this API key may not use it."
        raise RpcError(REFUSED, message, status=404)
    return reach


async def _load(key: tuple[int, bool, bool, Address]) -> Reach | None:
    key_id, can_manage, can_call, address = key
    granted = await cache.callable_by_key(key_id) if can_call else ()
    if address.kind == "server":
        return await _of_server(address, granted, sees_all=can_manage)
    if address.kind == "all":
        return await _of_assistants(address, granted)
    try:
        assistant = await cache.enabled(address.slug)
    except ModelNotFound:
        return None
    return await _of_assistants(address, [assistant]) if key_id in assistant.api_key_ids else None


async def _of_server(address: Address, granted: Sequence[AssistantEntry], *, sees_all: bool) -> Reach | None:
    server = await servers.named(address.slug)
    if server is None:
        return None
    granted = [each for each in granted if any(link.id == server.id for link in each.servers)]
    links = [link for each in granted for link in each.servers if link.id == server.id]
    if not links and not sees_all:
        return None
    by = {each.name: one for one in granted for each in one.functions if each.server_id == server.id}
    offered = (each for each in server.functions if sees_all or each.name in by)
    tools = [Tool(each.name, each, by.get(each.name)) for each in offered]
    is_whole = sees_all or any(link.narrowed_to is None for link in links)
    return _reach(
        title=server.name,
        assistants=[*granted, None] if sees_all else granted,
        instructions=server.announced.get("instructions") or "",
        tools=tools,
        whole=[server] if is_whole else [],
        narrowed=[] if is_whole else [server],
        prompt_name=lambda _, name: name,
        searches=_searches(address, None, tools),
    )


async def _of_assistants(address: Address, assistants: Sequence[AssistantEntry]) -> Reach:
    links = [link for each in assistants for link in each.servers]
    whole = {link.id for link in links if link.narrowed_to is None}
    found = await asyncio.gather(*(servers.find(server_id) for server_id in {link.id for link in links}))
    offers = sorted((each for each in found if each is not None), key=lambda each: each.slug)
    one = assistants[0] if len(assistants) == 1 else None
    tools = [Tool(each.public_name, each, using) for using in assistants for each in using.functions]
    return _reach(
        title=one.name if one else "MCP Connector",
        assistants=assistants,
        instructions=one.description if one else "",
        tools=tools,
        whole=[each for each in offers if each.id in whole],
        narrowed=[each for each in offers if each.id not in whole],
        prompt_name=lambda server, name: public_name(server.slug, name),
        searches=_searches(address, one, tools),
    )


def _searches(address: Address, assistant: AssistantEntry | None, tools: Iterable[Tool]) -> bool:
    if address.tools:
        return address.tools == "search"
    if assistant is not None and assistant.selection != Assistant.Selection.ALL:
        return True
    tokens = {tool.name: tool.function.tokens for tool in tools}
    return sum(tokens.values()) > int(settings.MCP_CONTEXT_TOKENS * settings.MCP_TOOLS_SHARE)


def _reach(
    *,
    title: str,
    instructions: str,
    assistants: Sequence[AssistantEntry | None],
    tools: Iterable[Tool],
    whole: Sequence[ServerOffer],
    narrowed: Sequence[ServerOffer],
    prompt_name: Callable[[ServerOffer, str], str],
    searches: bool,
) -> Reach:
    """Of `narrowed` servers single tools are granted, and what these show in a client (MCP Apps)."""
    resources = [Resource(server, each) for server in whole for each in server.resources]
    resources += [
        Resource(server, each)
        for server in narrowed
        for each in server.resources
        if str(each["uri"]).startswith(_APP_SCHEME)
    ]
    prompts = [
        Prompt(prompt_name(server, str(each["name"])), server, each)
        for server in whole
        for each in server.prompts
    ]
    return Reach(
        title=title,
        instructions=instructions,
        assistants=tuple(assistants),
        tools={each.name: each for each in sorted(tools, key=lambda each: each.name)},
        servers=tuple(whole),
        prompts=_first_of_each(prompts, lambda prompt: prompt.name),
        resources=_first_of_each(resources, lambda resource: str(resource.definition["uri"])),
        templates=tuple(Resource(server, each) for server in whole for each in server.templates),
        searches=searches,
    )


def _first_of_each(entries: Iterable[_Entry], name: Callable[[_Entry], str]) -> dict[str, _Entry]:
    found: dict[str, _Entry] = {}
    for entry in entries:
        found.setdefault(name(entry), entry)
    return found


_cache: FeedCache[tuple[int, bool, bool, Address], Reach | None] = FeedCache(_load, TABLES)
