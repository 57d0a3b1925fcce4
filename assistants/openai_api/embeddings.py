"""/embeddings: passes texts on to the configured embedder."""

from typing import Annotated, Any, Literal

from django.http import HttpRequest, HttpResponse
from pydantic import Field, ValidationError

from apikeys import limits
from assistants.agent.llm import embeddings
from assistants.openai_api import body, openapi
from assistants.openai_api.http import json_response
from assistants.openai_api.messages import Schema
from assistants.openai_api.validation import invalid
from assistants.openai_api.viewset import OpenAIViewSet

MOST_INPUTS = 2_048


class EmbeddingRequest(Schema):
    model: Annotated[str, Field(max_length=255)]
    input: (
        str
        | Annotated[list[str], Field(min_length=1, max_length=MOST_INPUTS)]
        | Annotated[list[int], Field(min_length=1)]
        | Annotated[list[list[int]], Field(min_length=1, max_length=MOST_INPUTS)]
    )
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Field(ge=1)] | None = None
    user: Annotated[str, Field(max_length=512)] | None = None


class EmbeddingViewSet(OpenAIViewSet):
    @openapi.create_embedding
    async def create(self, request: HttpRequest) -> HttpResponse:
        _, params = await body.read(request, _validate)
        async with limits.current().permit(self.principal) as permit:
            answer = await embeddings.embed(params.model_dump(exclude_none=True))
            permit.charge(answer.tokens)
        return json_response(answer.json)


def _validate(content: dict[str, Any]) -> EmbeddingRequest:
    try:
        return EmbeddingRequest.model_validate(content)
    except ValidationError as error:
        raise invalid(error.errors(include_url=False, include_input=False)[0], content) from None
