"""A tool's definition in the shapes that Strands and an LLM service read."""

from collections.abc import Mapping
from typing import Any, Self

import orjson

from assistants.catalogue.tool_schemas import plain


class Spec(dict[str, Any]):
    """A Strands tool spec, with `definition`: the OpenAI tool definition, already serialized."""

    definition: orjson.Fragment
    plain: "Spec"
    """The same for services that know one type a schema; itself where the caller brought the tool."""
    digest: int
    """The same, within this process, for equal definitions."""

    @classmethod
    def of(cls, definition: Mapping[str, Any]) -> Self:
        """Returns the spec of a definition that goes to every service as it is."""
        spec = cls._of(definition)
        spec.plain = spec
        return spec

    @classmethod
    def of_server(cls, definition: Mapping[str, Any]) -> Self:
        """Returns the spec of a server's tool, whose schema is as `tool_schemas` offers it."""
        spec, function = cls._of(definition), definition["function"]
        parameters = plain(function["parameters"])
        if parameters == function["parameters"]:
            spec.plain = spec
        else:
            spec.plain = cls.of({**definition, "function": {**function, "parameters": parameters}})
        return spec

    @classmethod
    def _of(cls, definition: Mapping[str, Any]) -> Self:
        function = definition["function"]
        spec = cls(
            name=function["name"],
            description=function.get("description") or function["name"],  # Bedrock refuses an empty one
            inputSchema={"json": function.get("parameters") or {}},
        )
        text = orjson.dumps(definition)
        spec.definition, spec.digest = orjson.Fragment(text), hash(text)
        return spec
