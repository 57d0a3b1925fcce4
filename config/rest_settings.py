"""Settings of the management API and of its description, that no installation changes."""

from typing import Any

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["apikeys.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["apikeys.permissions.CanManage"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["core.api.parsers.StrictJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "core.api.pagination.HeaderPagination",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "config.errors.exception_handler",
    "UNAUTHENTICATED_USER": None,
}

SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "MCP Connector",
    "DESCRIPTION": "The management API, and the OpenAI-compatible one beside it.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "ServerStatus": "tools.models.Status",
        "ServerApproval": "tools.models.Approval",
        "ApprovalState": "assistants.models.ApprovalState",
        "Approver": "assistants.models.Approver",
        "RunStatus": "assistants.models.RunStatus",
        "RunKind": "assistants.models.RunKind",
        "EventType": "apikeys.models.EventType",
        "CallStatus": "assistants.models.ToolCall.Status",
        "AccessReason": "assistants.access.Reason",
        "ForcedMode": ["auto", "required"],
        "AnswerFormat": ["text", "json_object", "json_schema"],
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "config.schema.describe_requests",
        "config.schema.link_items",
        "config.schema.describe_errors",
    ],
}
