"""Chat Completions in the OpenAPI description. These classes take no part in making answers."""

from typing import Any, Literal

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from pydantic import BaseModel

from assistants.openai_api.chat.request import ChatCompletionRequest


class ChatCompletion(BaseModel):
    """As OpenAI's, with `mcp_connector` (tool_calls, unavailable_tools, rounds) on the message."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[dict[str, Any]]
    usage: dict[str, int]


create_completion = extend_schema(
    summary="Chat with an assistant",
    description=(
        "`model` is an assistant's slug, or `auto`: the one that the request is for. "
        "With `stream`, chunks are the answer, then `[DONE]`."
    ),
    request=ChatCompletionRequest,
    responses={(200, "application/json"): ChatCompletion, (200, "text/event-stream"): OpenApiTypes.STR},
)
