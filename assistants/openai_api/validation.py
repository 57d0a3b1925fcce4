"""Checks of a request that both APIs make, and Pydantic's errors in the caller's terms."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

import orjson
from pydantic import Field
from pydantic_core import ErrorDetails

from assistants import response_formats
from core import schema_checks, strict_json
from core.errors import InvalidRequest

MOST_MESSAGES = 2_000
MOST_ITEMS = 2 * MOST_MESSAGES
MOST_TOOLS = 128
_CODES = {
    "missing": "missing_required_parameter",
    "union_tag_not_found": "missing_required_parameter",
    "union_tag_invalid": "unsupported_parameter",
}
Tokens = Annotated[int, Field(ge=1, lt=2**31)]
FunctionName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]


def check_schema(schema: Mapping[str, Any], param: str) -> None:
    """Raises InvalidRequest for a schema that no answer can be checked against."""
    try:
        response_formats.check_schema(schema)
    except response_formats.InvalidSchema as problem:
        raise InvalidRequest(f"Invalid '{param}': {problem}", param=param, code="invalid_value") from None
    if any(not reference.startswith("#") for reference in references(schema)):
        message = "A schema may refer only to its own parts, by '#/...': nothing else is fetched."
        raise InvalidRequest(message, param=param, code="invalid_value")


def tool_schema_problem(schema: Mapping[str, Any] | None) -> str | None:
    """Returns what is wrong with the schema of a caller's tool: it is too large, or refers elsewhere."""
    text = orjson.dumps(schema)
    if len(text) <= schema_checks.BOUNDED_BYTES and b'"$ref"' not in text:
        return None
    try:
        schema_checks.require_bounded(schema or {})
    except schema_checks.TooLarge as problem:
        return f"The schema of a tool is too large. {problem}"
    if any(not reference.startswith("#") for reference in references(schema)):
        return "A schema may refer only to its own parts, by '#/...': nothing else is fetched."
    return None


def check_arguments(arguments: Iterable[str], param: str) -> None:
    """Raises InvalidRequest for calls whose arguments would take long to parse: they are JSON in texts."""
    if strict_json.are_large(arguments):
        message = f"Invalid '{param}': the arguments of its tool calls have too many members."
        raise InvalidRequest(message, param=param, code="invalid_value")


def references(schema: Any) -> Iterator[str]:
    """Yields the `$ref`s anywhere in a JSON schema."""
    pending = [schema]
    while pending:
        found = pending.pop()
        if isinstance(found, dict):
            if isinstance(reference := found.get("$ref"), str):
                yield reference
            pending += found.values()
        elif isinstance(found, list):
            pending += found


def invalid(error: ErrorDetails, body: Mapping[str, Any]) -> InvalidRequest:
    """Returns what Pydantic found wrong with `body`, with the field's path as the caller wrote it."""
    param = _param(error, body)
    code = _CODES.get(error["type"], "invalid_type" if error["type"].endswith("_type") else "invalid_value")
    return InvalidRequest(f"Invalid '{param}': {error['msg']}.", param=param, code=code)


def _param(error: ErrorDetails, body: Mapping[str, Any]) -> str:
    """Returns the path of the field at fault, as `messages[0].content`."""
    path = ""
    value: Any = body
    missing = error["loc"][-1] if error["type"] == "missing" else None
    # Pydantic's location also has steps that the body has not, the tags of unions: they are left out.
    for step in error["loc"]:
        if isinstance(value, list) and isinstance(step, int):
            path, value = f"{path}[{step}]", value[step]
        elif isinstance(value, dict) and step in (*value, missing):
            path, value = f"{path}.{step}" if path else str(step), value.get(str(step))
    discriminator = error.get("ctx", {}).get("discriminator", "").strip("'")
    return f"{path}.{discriminator}" if discriminator.isidentifier() else path
