"""A tool's input schema as it is offered: an object with properties, under names that services accept."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import orjson

from assistants.catalogue.tool_schemas.mending import mended
from assistants.catalogue.tool_schemas.names import accepted_names
from assistants.catalogue.tool_schemas.uniting import united

Schema = dict[str, Any]
_BRANCHES = ("allOf", "anyOf", "oneOf")


@dataclass(frozen=True, slots=True)
class Offered:
    """`names`: the tool's own names of properties, by those that they are offered under; most have none."""

    schema: Schema
    names: Mapping[str, str] = field(default_factory=dict)
    accepted: Mapping[str, str] = field(init=False)
    """The other way round."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "accepted", {own: accepted for accepted, own in self.names.items()})

    def restored(self, arguments: Any) -> Any:
        """Returns a model's arguments under the tool's own names of properties, also within them.

        Where these are already, they stay.
        """
        return self._restored(arguments, [self.schema]) if self.names else arguments

    def _restored(self, value: Any, schemas: Sequence[Any]) -> Any:
        schemas = list(_with_branches(schemas))
        if isinstance(value, list):
            items = [each["items"] for each in schemas if "items" in each]
            return [self._restored(item, items) for item in value]
        if not isinstance(value, dict):
            return value
        return dict(self._member(name, inner, schemas) for name, inner in value.items())

    def _member(self, name: str, value: Any, schemas: Sequence[Schema]) -> tuple[str, Any]:
        offered = self.accepted.get(name, name)
        declared = [each["properties"][offered] for each in schemas if offered in each.get("properties", ())]
        if not declared:
            return name, self._restored(value, [each.get("additionalProperties") for each in schemas])
        return self.names.get(name, name), self._restored(value, declared)


def offered(schema: Mapping[str, Any]) -> Offered:
    """Returns the schema in the form that LLM services insist on.

    They refuse a whole request for one tool whose schema is different. OpenAI demands an object without
    alternatives at its top, and `items` in each array; Anthropic JSON Schema of draft 2020-12 and names of
    properties of [a-zA-Z0-9_.-]{1,64}; Gemini no references. What this form cannot say is checked when the
    tool is called: see `tools.arguments`.
    """
    return _offered(orjson.dumps(schema))


@lru_cache(maxsize=4096)
def _offered(text: bytes) -> Offered:
    # By its text: the assistants of an installation share their tools, and are read anew when one changes.
    schema = orjson.loads(text)
    names = accepted_names(schema)
    whole = united(mended(schema, names))
    return Offered(whole, {accepted: own for own, accepted in names.items()})


def _with_branches(schemas: Iterable[Any]) -> Iterator[Schema]:
    for schema in schemas:
        if isinstance(schema, dict):
            yield schema
            for keyword in _BRANCHES:
                yield from _with_branches(schema.get(keyword, ()))
