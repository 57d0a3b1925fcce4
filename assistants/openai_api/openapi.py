"""Models and embeddings in the OpenAPI description. These classes take no part in making answers."""

from typing import Any, Literal

from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_serializer
from pydantic import BaseModel


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


create_embedding = extend_schema(
    summary="Embed texts",
    description="Passed on to the configured embedder; 404 `no_embedder` without one.",
    request=EmbeddingRequest,
    responses={200: Embeddings},
)
list_models = extend_schema(
    summary="List models",
    description="The assistants that the key may call, as models; `auto` first, where there are several.",
    responses=ModelList,
)
retrieve_model = extend_schema(
    summary="Get a model",
    description="One assistant that the key may call, as a model.",
    parameters=[OpenApiParameter("model", str, OpenApiParameter.PATH)],
    responses=Model,
)
