"""The door in the OpenAPI description. These models describe answers; they take no part in making them."""

from typing import Any, Literal

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_serializer
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


class Model(BaseModel):
    id: str
    object: Literal["model"]
    created: int
    owned_by: str


@extend_schema_serializer(many=False)
class ModelList(BaseModel):
    object: Literal["list"]
    data: list[Model]


class Embeddings(BaseModel):
    object: Literal["list"]
    data: list[dict[str, Any]]
    model: str
    usage: dict[str, int]


class EmbeddingRequest(BaseModel):
    """As OpenAI's. The embedder that is configured answers, whatever `model` says."""

    model: str
    input: str | list[str] | list[int] | list[list[int]]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: int | None = None


create_completion = extend_schema(
    summary="Chat with an assistant",
    description=(
        "`model` is an assistant's slug, or `auto`: the one that the request is for. "
        "With `stream`, chunks are the answer, then `[DONE]`."
    ),
    request=ChatCompletionRequest,
    responses={(200, "application/json"): ChatCompletion, (200, "text/event-stream"): OpenApiTypes.STR},
)
create_embedding = extend_schema(
    summary="Embed texts",
    description="Passed on to the configured embedder; 404 `no_embedder` without one.",
    request=EmbeddingRequest,
    responses=Embeddings,
)
list_models = extend_schema(
    summary="List models",
    description="The assistants that the key may call, as models; `auto` first, where there are several.",
    responses=ModelList,
)
retrieve_model = extend_schema(
    summary="Get a model",
    description="One assistant that the key may call, as a model.",
    responses=Model,
)
