"""Errors of requests to assistants. Endpoints render them; no message quotes an upstream or a secret."""

from typing import Literal

from rest_framework.exceptions import APIException

UpstreamCode = Literal[
    "upstream_error",
    "upstream_timeout",
    "upstream_rate_limited",
    "upstream_auth_error",
    "upstream_invalid_response",
    "context_length_exceeded",
    "overloaded",
]
_STATUS: dict[UpstreamCode, int] = {
    "upstream_error": 502,
    "upstream_timeout": 504,
    "upstream_rate_limited": 429,
    "upstream_auth_error": 502,
    "upstream_invalid_response": 502,
    "context_length_exceeded": 400,
    "overloaded": 503,
}


class UpstreamFailed(APIException):
    """The LLM service failed, or its answer is unusable. `retry_after`: seconds until another try."""

    def __init__(self, code: UpstreamCode, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message, code)
        self.code = code
        self.status_code = _STATUS[code]
        self.retry_after = retry_after


class ModelNotFound(APIException):
    """404: the assistant does not exist, is disabled or is not granted to the key.

    The answer does not say which: a key must not learn what else exists.
    """

    status_code = 404
    default_code = "model_not_found"
    default_detail = "The model does not exist, or this API key may not call it."


class NoAssistantFits(APIException):
    """400: a request to the model `auto` that fits none of the assistants that the key may call."""

    status_code = 400
    default_code = "no_assistant_fits"


class InvalidMessages(APIException):
    """400: a conversation that no LLM service accepts."""

    status_code = 400
    default_code = "invalid_messages"


class RequestInterrupted(APIException):
    """409: a repeated request, whose first try was interrupted after it may have called tools."""

    status_code = 409
    default_code = "request_interrupted"
    default_detail = (
        "This request was sent before, and was interrupted after its tools may have run: it is not repeated. "
        "To run it anew, send it as a new request."
    )


class RunCancelled(APIException):
    """409: the run was cancelled by somebody else than its caller."""

    status_code = 409
    default_code = "run_cancelled"
    default_detail = "The run was cancelled."


class NoEmbedder(APIException):
    """404: this installation has no embedder."""

    status_code = 404
    default_code = "no_embedder"
    default_detail = "There is no embedder here: whoever runs this server names one as EMBEDDING_BASE_URL."
