"""What an assistant can fail with. The doors render it; no message holds an upstream's words or a secret."""

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
    """The LLM did not answer as it should. `retry_after`: seconds after which a caller may try again."""

    def __init__(self, code: UpstreamCode, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message, code)
        self.code = code
        self.status_code = _STATUS[code]
        self.retry_after = retry_after


class ModelNotFound(APIException):
    """404: no such assistant, or it is disabled, or not granted to the key. Which one is not told."""

    status_code = 404
    default_code = "model_not_found"
    default_detail = "The model does not exist, or this API key may not call it."


class NoAssistantFits(APIException):
    """400: a request to the model `auto` that is like none of the assistants that the key may call."""

    status_code = 400
    default_code = "no_assistant_fits"


class InvalidMessages(APIException):
    """400: a conversation that must not be given to a model."""

    status_code = 400
    default_code = "invalid_messages"


class RequestInterrupted(APIException):
    """409: a request that was sent again, of which nobody can say any more how far it came."""

    status_code = 409
    default_code = "request_interrupted"
    default_detail = (
        "This request was sent before, and was interrupted after its tools may have run: it is not repeated. "
        "To run it anew, send it as a new request."
    )


class RunCancelled(APIException):
    """409: somebody with the right to do so ended the run."""

    status_code = 409
    default_code = "run_cancelled"
    default_detail = "The run was cancelled."


class NoEmbedder(APIException):
    """404: this installation has nothing to embed with."""

    status_code = 404
    default_code = "no_embedder"
    default_detail = "There is no embedder here: whoever runs this server names one as EMBEDDING_BASE_URL."
