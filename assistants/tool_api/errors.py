"""Errors of calls over REST, as the management API's envelope shows them."""

from typing import Any

from rest_framework.exceptions import APIException

from assistants.approvals.codes import DENIED, FILTERED, NOT_APPROVED
from assistants.approvals.sentences import path
from assistants.tool_calls import ApprovalPending, NotCalled
from connector.api.errors import Failed, unfitting
from connector.client import outcomes
from connector.errors import CallFailed, ServerError
from tools.arguments import InvalidArguments

LONGEST_MESSAGE = 4_000


class AssistantNotFound(APIException):
    """404: it does not exist, is disabled or is not granted to the key. The answer does not say which."""

    status_code = 404
    default_code = "assistant_not_found"
    default_detail = "There is no such assistant, or this API key may not call it."


class UnknownTool(APIException):
    status_code = 404
    default_code = "unknown_tool"
    default_detail = "The assistant has no tool of this name. Its openapi.json lists those that it has."


class ToolFailed(APIException):
    """422: the tool ran and reports a failure, or its server refused the call. `details` hold its content."""

    status_code = 422
    default_code = outcomes.TOOL_ERROR

    def __init__(self, text: str, content: Any = None) -> None:
        super().__init__(text[:LONGEST_MESSAGE] or "The tool failed, and does not say why.")
        self.details = {} if content is None else {"content": content}


class NotMade(APIException):
    """403: a rule or the filter forbids the call, or nobody agreed. 409: it waits, or may have been made."""

    def __init__(self, refusal: NotCalled, base_url: str) -> None:
        super().__init__(str(refusal), refusal.code)
        self.status_code = 403 if refusal.code in {DENIED, FILTERED, NOT_APPROVED} else 409
        if isinstance(refusal, ApprovalPending):
            self.details = {"number": refusal.number, "url": f"{base_url}{path(refusal.number)}"}


def of_failure(
    failure: InvalidArguments | NotCalled | CallFailed | ServerError, base_url: str
) -> APIException:
    """`base_url`: where the caller finds the installation."""
    match failure:
        case InvalidArguments():
            return unfitting(failure)
        case NotCalled():
            return NotMade(failure, base_url)
        case CallFailed() if failure.code == outcomes.TOOL_ERROR:
            return ToolFailed(failure.message)  # the server refused a call that was approved
        case CallFailed():
            return Failed(failure)
        case ServerError():
            return ToolFailed(failure.message)
