"""Reads the files of a product, each in its own form, into a draft."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pydantic
from django.core.exceptions import ValidationError

from assistants.configuration import InvalidConfiguration, require_storable
from assistants.importers import contextforge, librechat, litellm, mcp_clients, mcphub, metamcp, open_webui
from assistants.importers.draft import Draft
from assistants.importers.source import Source
from core.printable import shown
from tools import importing

LONGEST = 32 * 1024 * 1024
"""Bytes: exports may hold pictures."""
_LONGEST_YAML = 1024 * 1024
_TIMES = 20
"""How many times as many members a file may have as a request: 10,000 servers have some 60,000 objects."""


@dataclass(frozen=True, slots=True)
class Product:
    """`marks`: of these its files have one at least, at their top. `of_list`: what a list is in its files.

    `own`: what no other product has at the top of its files, by its type there. Of some products nothing is.
    """

    title: str
    read: Callable[[Source], None]
    marks: frozenset[str]
    of_list: str = ""
    own: Mapping[str, type] = field(default_factory=dict)

    def own_in(self, content: Mapping[str, Any]) -> list[str]:
        """Returns the names by which a file is unmistakably of this product."""
        return [name for name, kind in self.own.items() if isinstance(content.get(name), kind)]


PRODUCTS: Mapping[str, Product] = {
    "litellm": Product(
        "LiteLLM", litellm.read, litellm.MARKS, "keys",
        {"model_list": list, "general_settings": dict, "litellm_settings": dict, "router_settings": dict},
    ),
    "mcphub": Product(
        "MCPHub", mcphub.read, mcphub.MARKS,
        own={"groups": list, "bearerKeys": list, "systemConfig": dict, "users": list},
    ),
    "metamcp": Product(
        "MetaMCP", metamcp.read, metamcp.MARKS, own={"namespaces": list, "endpoints": list}
    ),
    "contextforge": Product(
        "ContextForge", contextforge.read, contextforge.MARKS, own={"entities": dict}
    ),
    "open-webui": Product(
        "Open WebUI", open_webui.read, open_webui.MARKS, "workspace_models", {"tool_server": dict}
    ),
    "librechat": Product(
        "LibreChat", librechat.read, librechat.MARKS, "agents",
        {"endpoints": dict, "modelSpecs": dict, "interface": dict},
    ),
    "claude": Product(
        "Claude", mcp_clients.read_claude, frozenset({"mcpServers", "projects"}), own={"projects": dict}
    ),
    "cursor": Product("Cursor", mcp_clients.read_cursor, frozenset({"mcpServers"})),
    "vscode": Product(
        "VS Code", mcp_clients.read_vscode, frozenset({"servers", "mcp", "inputs"}),
        own={"servers": dict},
    ),
}  # fmt: skip


def read(product: str, files: Sequence[bytes], *, environ: Mapping[str, str]) -> Draft:
    """Reads files that belong together. Raises InvalidConfiguration where they are not this product's."""
    # An empty variable counts as none: an address would be another one without a word.
    draft = Draft({name: value for name, value in environ.items() if value})
    try:
        PRODUCTS[product].read(Source(together(product, files), "", draft))
        draft.stop_without_credentials()
    except pydantic.ValidationError as error:
        found = error.errors(include_input=False)
        places = {".".join(shown(str(step)) for step in each["loc"]) for each in found}
    else:
        if draft.passed_over:
            names = ", ".join(shown(name) for name in sorted(draft.passed_over))
            draft.leave_out("ids, dates and the like", f"They say nothing here: {names}.")
        return draft
    # Not within the handler: its error holds what was given, which may be a secret.
    raise InvalidConfiguration(f"A value of another type than {', '.join(sorted(places))} may have.")


def together(product: str, files: Sequence[bytes]) -> dict[str, Any]:
    """Returns what files that belong together hold. Raises InvalidConfiguration."""
    found: dict[str, Any] = {}
    for file in files:
        content = _content(product, _loaded(file))
        if twice := sorted(found.keys() & content.keys() - {"version"}):
            raise InvalidConfiguration(
                f"{shown(twice[0])}: Two of the files have it. Import one after the other."
            )
        found |= content
    return found


def _content(product: str, loaded: Any) -> dict[str, Any]:
    known = PRODUCTS[product]
    if isinstance(loaded, list) and known.of_list:
        return {known.of_list: loaded}
    content = {str(name): value for name, value in loaded.items()} if isinstance(loaded, dict) else {}
    found = {name.partition(".")[0] for name in content}
    if not found & known.marks:
        why = f"it has none of {', '.join(sorted(known.marks))}"
        others = [name for name, each in PRODUCTS.items() if each.marks & found]
        raise InvalidConfiguration(_no_file_of(known, why, _owners(content) or others))
    if not known.own_in(content) and (owners := _owners(content)):
        theirs = {name: None for owner in owners for name in PRODUCTS[owner].own_in(content)}
        raise InvalidConfiguration(_no_file_of(known, f"it has {', '.join(theirs)}", owners))
    return content


def _owners(content: Mapping[str, Any]) -> list[str]:
    """Returns the products of which a file unmistakably is."""
    return [name for name, each in PRODUCTS.items() if each.own_in(content)]


def _no_file_of(known: Product, why: str, others: Sequence[str]) -> str:
    hint = f" It looks like one of: {', '.join(others)}." if others else ""
    return f"This is no file of {known.title}: {why}.{hint}"


def _loaded(raw: bytes) -> Any:
    if len(raw) > LONGEST:
        raise InvalidConfiguration(f"The file is over {LONGEST:,} bytes.")
    try:
        loaded = importing.load(raw.decode("utf-8-sig"), longest_yaml=_LONGEST_YAML, times=_TIMES)
    except UnicodeDecodeError:
        raise InvalidConfiguration("The file is not in UTF-8.") from None
    except ValidationError as error:
        raise InvalidConfiguration(" ".join(error.messages)) from error
    require_storable(loaded)
    return loaded
