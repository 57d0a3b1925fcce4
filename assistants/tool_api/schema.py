"""The two operations in the description of the whole API. These take no part in making answers."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema

_SLUG = OpenApiParameter("slug", str, OpenApiParameter.PATH, description="Of the assistant, or an alias.")
_NAME = OpenApiParameter("name", str, OpenApiParameter.PATH, description="The tool's public name.")

call = extend_schema(
    operation_id="call_assistant_tool",
    summary="Call a tool of an assistant",
    description=(
        "The body is the tool's arguments. The answer is the tool's structured content, or else "
        '`{"content": [..]}` with MCP content blocks. A tool that reports a failure is 422 `tool_error`. '
        "A call that a rule denies is 403 `denied_by_rule`, one that the filter refuses 403 "
        "`denied_by_filter`; one that still waits for approval is 409 `approval_pending`, and an equal call "
        "gets its result."
    ),
    parameters=[_SLUG, _NAME],
    request=OpenApiTypes.OBJECT,
    responses={200: OpenApiTypes.OBJECT},
)
describe = extend_schema(
    operation_id="describe_assistant_tools",
    summary="Describe the tools of an assistant",
    description="OpenAPI 3.1, with one operation for each tool.",
    parameters=[_SLUG],
    responses={200: OpenApiTypes.OBJECT},
)
