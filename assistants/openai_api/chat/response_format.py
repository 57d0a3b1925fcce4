"""The format that an answer is asked to have, as far as it can be kept."""

from assistants.openai_api.chat.request import ResponseFormat
from assistants.openai_api.validation import check_schema
from core.errors import InvalidRequest


def check(wanted: ResponseFormat | None) -> None:
    """Raises InvalidRequest."""
    place = "response_format.json_schema"
    if wanted is None or wanted.type != "json_schema":
        return
    if wanted.json_schema is None:
        raise InvalidRequest(f"'{place}' is required.", param=place, code="missing_required_parameter")
    check_schema(wanted.json_schema.schema_ or {}, f"{place}.schema")
