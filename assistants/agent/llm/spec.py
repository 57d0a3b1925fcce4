"""A tool's definition in the shapes that Strands and an LLM service read."""

from collections.abc import Mapping
from typing import Any, Self

import orjson


class Spec(dict[str, Any]):
    """A Strands tool spec, with `definition`: the OpenAI tool definition, already serialized.

    Strands deep-copies all specs for every call of the model. Nobody changes a Spec, so a copy of it is
    itself: with `tools.Toolbox` that took a round with 100 tools from 12.7 to 3.0 ms.
    """

    definition: orjson.Fragment

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    @classmethod
    def of(cls, definition: Mapping[str, Any]) -> Self:
        function = definition["function"]
        spec = cls(
            name=function["name"],
            description=function.get("description") or "",
            inputSchema={"json": function.get("parameters") or {}},
        )
        spec.definition = orjson.Fragment(orjson.dumps(definition))
        return spec
