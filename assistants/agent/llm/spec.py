"""A tool definition as Strands and an LLM service read it."""

from collections.abc import Mapping
from typing import Any, Self

import orjson


class Spec(dict[str, Any]):
    """What Strands asks of a tool, with `definition`, the OpenAI tool definition, already serialised.

    Strands copies every spec deeply for every call of the model; nobody changes these, so a copy is itself.
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
