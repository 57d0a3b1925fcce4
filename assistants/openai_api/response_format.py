"""The format that an answer is asked to have, as far as it can be kept."""

from collections.abc import Mapping
from typing import Any

from assistants import response_formats
from assistants.openai_api.wire import ResponseFormat, references
from core.errors import InvalidRequest


def check(wanted: ResponseFormat | None) -> None:
    """Raises InvalidRequest."""
    place = "response_format.json_schema"
    if wanted is None or wanted.type != "json_schema":
        return
    if wanted.json_schema is None:
        raise InvalidRequest(f"'{place}' is required.", param=place, code="missing_required_parameter")
    check_schema(wanted.json_schema.schema_ or {}, f"{place}.schema")


def check_schema(schema: Mapping[str, Any], param: str) -> None:
    """Raises InvalidRequest for one that no answer can be checked against."""
    try:
        response_formats.check_schema(schema)
    except response_formats.InvalidSchema as problem:
        raise InvalidRequest(f"Invalid '{param}': {problem}", param=param, code="invalid_value") from None
    if any(not reference.startswith("#") for reference in references(schema)):
        message = "A schema may refer only to its own parts, by '#/...': nothing else is fetched."
        raise InvalidRequest(message, param=param, code="invalid_value")
