"""A tool's definition in the shapes that Strands and an LLM service read."""

from collections.abc import Mapping
from typing import Any, Self

import orjson

from assistants.catalogue.tool_schemas import plain


class Spec(dict[str, Any]):
    """A Strands tool spec, with `definition`: the OpenAI tool definition, already serialized."""

    definition: orjson.Fragment
    digest: int
    """The same, within this process, for equal definitions."""
    plainer: "Spec | None" = None
    """The same for services that know one type a schema, if it differs."""

    @property
    def plain(self) -> "Spec":
        """The same for services that know one type a schema; itself where the caller brought the tool."""
        return self if self.plainer is None else self.plainer

    @classmethod
    def of(cls, definition: Mapping[str, Any]) -> Self:
        """Returns the spec of a definition that goes to every service as it is."""
        function = definition["function"]
        spec = cls(
            name=function["name"],
            description=function.get("description") or function["name"],  # Bedrock refuses an empty one
            inputSchema={"json": function.get("parameters") or {}},
        )
        text = orjson.dumps(definition)
        spec.definition, spec.digest = orjson.Fragment(text), hash(text)
        return spec

    @classmethod
    def of_server(cls, definition: Mapping[str, Any]) -> Self:
        """Returns the spec of a server's tool, whose schema is as `tool_schemas` offers it."""
        spec, function = cls.of(definition), definition["function"]
        parameters = plain(function["parameters"])
        if parameters != function["parameters"]:
            spec.plainer = cls.of({**definition, "function": {**function, "parameters": parameters}})
        return spec
