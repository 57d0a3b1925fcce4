"""Errors of requests to assistants. Endpoints render them; no message quotes an upstream or a secret."""

from rest_framework.exceptions import APIException

from core.message import Message

_STATUS = {
    "upstream_error": 502,
    "upstream_timeout": 504,
    "upstream_rate_limited": 429,
    "upstream_auth_error": 502,
    "upstream_invalid_response": 502,
    "overloaded": 503,
}


class UpstreamFailed(APIException):
    """The LLM service failed, or its answer is unusable.

    `retry_after`: seconds until another try. `may_retry`: whether another try can help at all.
    """

    param: str | None = None

    def __init__(
        self, code: str, message: str, *, retry_after: float | None = None, may_retry: bool = True
    ) -> None:
        super().__init__(message, code)
        self.message = message
        self.code = code
        self.status_code = _STATUS.get(code, 502)
        self.retry_after = retry_after
        self.may_retry = may_retry


class UpstreamRefused(UpstreamFailed):
    """The LLM service refused the request itself: its 4xx is the caller's. Another try cannot help.

    `upstream_text`: what the service wrote, to be searched and never shown.
    """

    upstream_text = ""

    def __init__(self, message: str, *, code: str, status_code: int = 400, param: str | None = None) -> None:
        super().__init__(code, message, may_retry=False)
        self.status_code = status_code
        self.param = param


class ModelNotFound(APIException):
    """404: the assistant does not exist, is disabled or is not granted to the key.

    The answer does not say which: a key must not learn what else exists.
    """

    status_code = 404
    default_code = "model_not_found"
    default_detail = Message("The model does not exist, or this API key may not call it.")


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
    default_detail = Message(
        "This request was sent before, and was interrupted after its tools may have run: it is not repeated. "
        "To run it anew, send it as a new request."
    )


class RunCancelled(APIException):
    """409: the run was cancelled by somebody else than its caller."""

    status_code = 409
    default_code = "run_cancelled"
    default_detail = Message("The run was cancelled.")


class NoEmbedder(APIException):
    """404: this installation has no embedder."""

    status_code = 404
    default_code = "no_embedder"
    default_detail = Message(
        "There is no embedder here: whoever runs this server names one as EMBEDDING_BASE_URL."
    )
