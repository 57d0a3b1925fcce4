"""What a server offers to MCP clients, from the database, cached until the change feed reports a change."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from assistants.catalogue.cache import functions_of
from assistants.catalogue.entries import FunctionEntry
from core.database import in_thread
from core.feed import FeedCache
from tools.models import MCPTool, Offer

_COLUMNS = ("name", "slug", "call_timeout_s", "announced", "labels")
TABLES = ("tools_mcptool", "tools_toolfunction", "tools_offer")


@dataclass(frozen=True, slots=True, eq=False)
class ServerOffer:
    """A registered server: its tools that may be offered, its resources, templates and prompts as wire JSON.

    `announced` is what it said of itself when its session began: `serverInfo`, `instructions` and
    `capabilities`.
    """

    id: int
    name: str
    slug: str
    timeout_s: float
    functions: tuple[FunctionEntry, ...]
    resources: tuple[Mapping[str, Any], ...]
    templates: tuple[Mapping[str, Any], ...]
    prompts: tuple[Mapping[str, Any], ...]
    announced: Mapping[str, Any] = field(default_factory=dict)
    labels: frozenset[str] = frozenset()
    """Of `tools.models.Label`: what it means to read its resources and prompts."""

    def announces(self, name: str, part: str = "") -> bool:
        """Whether the server announced a capability, or a part of one, as `resources`, `subscribe`."""
        found = self.announced.get("capabilities", {}).get(name)
        return found is not None and (not part or bool(found.get(part)))


async def find(server_id: int) -> ServerOffer | None:
    """Returns a registered server by its id, whether it runs or not."""
    return await _by_id.get(server_id)


async def named(slug: str) -> ServerOffer | None:
    """Returns a registered server by its slug."""
    server_id = (await _ids.get("")).get(slug)
    return await find(server_id) if server_id is not None else None


@in_thread
def _load(server_id: int) -> ServerOffer | None:
    row = MCPTool.objects.present().only(*_COLUMNS).filter(pk=server_id).order_by("pk").first()
    if row is None:
        return None
    offers = Offer.objects.filter(server=server_id).order_by("pk").values_list("kind", "definition")
    by_kind = {kind: tuple(each for of, each in offers if of == kind) for kind in Offer.Kind.values}
    return ServerOffer(
        id=row.pk,
        name=row.name,
        slug=row.slug,
        timeout_s=row.call_timeout_s,
        functions=functions_of(row),
        resources=by_kind[Offer.Kind.RESOURCE],
        templates=by_kind[Offer.Kind.TEMPLATE],
        prompts=by_kind[Offer.Kind.PROMPT],
        announced=row.announced,
        labels=frozenset(row.labels),
    )


@in_thread
def _load_ids(_: str) -> dict[str, int]:
    return dict(MCPTool.objects.present().order_by().values_list("slug", "pk"))


_by_id: FeedCache[int, ServerOffer | None] = FeedCache(_load, TABLES)
# All of them at once: a caller who tries names must not ask the database for each.
_ids: FeedCache[str, dict[str, int]] = FeedCache(_load_ids, ["tools_mcptool"])
