"""Each member of a file is used or listed. Shown by taking it out, by strange ones, and by other types."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from assistants.configuration import InvalidConfiguration
from assistants.importers import products
from assistants.importers.draft import Draft
from tests.assistants.importers import scene

Path = tuple[str | int, ...]
SAYS_THE_SAME = {
    "litellm": [
        "model_list[0].litellm_params.api_key",
        *(f"mcp_servers.{name}.transport" for name in ("github", "zapier", "circle", "calendar")),
    ],
    "mcphub": ["mcpServers.amap.type", "systemConfig.nameSeparator"],
    "metamcp": ["namespaces[0].servers[0].status"],
    "contextforge": [
        "entities.gateways[0].transport",
        "entities.gateways[0].is_active",
        *(f"entities.gateways[{number}].transport" for number in (2, 3)),
        "entities.tools[1].id",
        "entities.servers[0].is_active",
    ],
    "open-webui": [
        "openai.enable",
        "openai.api_configs.0.enable",
        "openai.api_configs.1.enable",
        "ollama",
        "ollama.enable",
        "tool_server.connections[0].auth_type",
        "tool_server.connections[1].info.id",
        "workspace_models[0].is_active",
    ],
    "librechat": [
        "mcpServers.github.type",
        "mcpServers.github.timeout",
        "mcpServers.catalog.type",
        "mcpServers.vault.type",
    ],
    "claude": ["mcpServers.inside.type"],
}
"""Members that say what would be so without them: what an address or a command says, or a default does."""
CANARY = "canary-in-a-place-of-its-own"
STRANGE: list[Any] = [False, 0, CANARY, {"deep": [CANARY]}]
OTHERS: list[Any] = [True, 10**400, [{"k": CANARY}], {"k": CANARY}]


def content(product: str) -> dict[str, Any]:
    """Returns the whole example of a product, with an id or the like in place of what only YAML has."""
    files = [(scene.FILES / name).read_bytes() for name in scene.PRODUCTS[product]]
    plain: dict[str, Any] = json.loads(json.dumps(products.together(product, files), default=str))
    return plain


def read(product: str, file: Any) -> Draft:
    return products.read(product, [json.dumps(file).encode()], environ={})


def told(draft: Draft) -> str:
    return "\n".join([*map(str, draft.left_out), *draft.steps, *draft.asked.values()])


def outcome(product: str, file: Any) -> str:
    """Returns all that an import would do, and say."""
    try:
        draft = read(product, file)
    except InvalidConfiguration as error:
        return str(error)
    return draft.document().model_dump_json() + json.dumps(dict(draft.environ)) + told(draft)


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in steps:
        yield (*path, step)
        yield from paths(inner, (*path, step))


def at(file: Any, path: Path) -> Any:
    for step in path:
        file = file[step]
    return file


def written(path: Path) -> str:
    """Returns a path as the report has it."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def is_listed(path: Path, draft: Draft) -> bool:
    """Whether the report names it, or a whole of which it is a part."""
    whole = {path[:end] for end in range(1, len(path) + 1)}
    names = {written(each) for each in whole}
    return (
        any(each.path in names for each in draft.left_out)
        or any(each.path == "the file" and str(path[0]) in each.why for each in draft.left_out)
        or any(step in draft.passed_over for step in path)
    )


@pytest.mark.parametrize("product", scene.PRODUCTS)
def test_each_member_is_used_or_listed(product: str) -> None:
    file = content(product)
    draft, before = read(product, file), outcome(product, file)
    silent = []
    for path in paths(file):
        if is_listed(path, draft) or at(file, path) in (None, "", [], {}):
            continue
        without = copy.deepcopy(file)
        del at(without, path[:-1])[path[-1]]
        if outcome(product, without) == before:
            silent.append(written(path))
    assert silent == SAYS_THE_SAME.get(product, [])


@pytest.mark.parametrize("product", scene.PRODUCTS)
def test_what_nobody_knows_is_listed_wherever_it_is_and_never_shown(product: str) -> None:
    file = content(product)
    before, draft = outcome(product, file), read(product, file)
    lost = []
    for number, path in enumerate([(), *paths(file)]):
        if not isinstance(at(file, path), dict) or (path and is_listed(path, draft)):
            continue
        more = copy.deepcopy(file)
        at(more, path)["x_strange"] = STRANGE[number % len(STRANGE)]
        after = outcome(product, more)
        if after == before:
            lost.append(written(path))
        assert CANARY not in after.rpartition("}")[2], written(path)
    assert lost == []


@pytest.mark.parametrize("product", scene.PRODUCTS)
def test_a_value_of_another_type_is_refused_or_read_and_never_shown(product: str) -> None:
    file = content(product)
    for number, path in enumerate(paths(file)):
        other = copy.deepcopy(file)
        at(other, path[:-1])[path[-1]] = OTHERS[number % len(OTHERS)]
        try:
            said = told(read(product, other))
        except InvalidConfiguration as error:
            said = str(error)
        assert CANARY not in said, written(path)
