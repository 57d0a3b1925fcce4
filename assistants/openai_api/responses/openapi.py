"""The Responses API in the OpenAPI description. These classes take no part in making answers."""

from typing import Any, Literal

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from pydantic import BaseModel

from assistants.openai_api.responses.request import ResponseRequest


class Response(BaseModel):
    """As OpenAI's, with all of its fields; `mcp_connector` (run_id, rounds, unavailable_tools) is ours."""

    id: str
    object: Literal["response"]
    created_at: int
    status: Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]
    model: str
    output: list[dict[str, Any]]
    error: dict[str, Any] | None
    usage: dict[str, Any] | None


class InputTokens(BaseModel):
    object: Literal["response.input_tokens"]
    input_tokens: int


class DeletedResponse(BaseModel):
    id: str
    object: Literal["response"]
    deleted: bool


class ResponseItemList(BaseModel):
    object: Literal["list"]
    data: list[dict[str, Any]]
    first_id: str | None
    last_id: str | None
    has_more: bool


def _query(name: str, kind: OpenApiTypes, description: str) -> OpenApiParameter:
    return OpenApiParameter(name, kind, OpenApiParameter.QUERY, description=description)


_ANSWERS: dict[Any, Any] = {
    (200, "application/json"): Response,
    (200, "text/event-stream"): OpenApiTypes.STR,
}

create_response = extend_schema(
    summary="Have an assistant respond",
    description=(
        "`model` is an assistant's slug. With `stream`, events are the answer. With `background`, a worker"
        " gives the answer, and this one comes at once: poll the response, or follow its stream."
    ),
    request=ResponseRequest,
    responses=_ANSWERS,
)
count_input_tokens = extend_schema(
    summary="Count the tokens of a request",
    description=(
        "An estimate of what the model would be asked first, with the assistant's prompt and tools: one token"
        " for four characters. No model is asked."
    ),
    request=ResponseRequest,
    responses={200: InputTokens},
)
retrieve_response = extend_schema(
    summary="Get a response",
    parameters=[
        _query("stream", OpenApiTypes.BOOL, "Its events instead. Of responses in the background."),
        OpenApiParameter(
            "starting_after",
            {"type": "integer", "minimum": 0},
            description="Only events whose sequence_number is greater.",
        ),
    ],
    responses=_ANSWERS,
)
delete_response = extend_schema(
    summary="Delete a response",
    description="One that a worker is at ends.",
    responses={200: DeletedResponse},
)
list_input_items = extend_schema(
    summary="List what a response answers",
    description="The items of its own request, the latest first.",
    parameters=[
        OpenApiParameter("limit", {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}),
        OpenApiParameter("order", str, enum=["asc", "desc"]),
        _query("after", OpenApiTypes.STR, "The id of the item before the first one."),
    ],
    responses=ResponseItemList,
)
cancel_response = extend_schema(
    summary="Cancel a response in the background",
    request=None,
    responses=Response,
)
