"""The parts of the OpenAPI description that drf-spectacular cannot derive from the code."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension

HTTP_METHODS = {"get", "post", "put", "patch", "delete"}
OPENAI_PREFIXES = ("/v1/", "/api/v1/chat", "/api/v1/models", "/api/v1/embeddings", "/api/v1/responses")
TEXT = {"type": "string"}


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "apikeys.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "ak-123456-..."}


def describe_errors(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """A postprocessing hook: gives each operation its error envelope, OpenAI's or the management API's."""
    result["components"]["schemas"] |= {"Error": ERROR, "OpenAIError": OPENAI_ERROR}
    for path, operations in result["paths"].items():
        schema = "OpenAIError" if path.startswith(OPENAI_PREFIXES) else "Error"
        answer = {
            "description": "Anything that went wrong.",
            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}},
        }
        for method in HTTP_METHODS & operations.keys():
            operations[method]["responses"].setdefault("default", answer)
    return result


ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["success", "error", "timestamp"],
    "properties": {
        "success": {"type": "boolean", "enum": [False]},
        "error": {
            "type": "object",
            "required": ["code", "type", "message", "status_code"],
            "properties": {
                "code": {"type": "string", "enum": ["HTTP_ERROR", "VALIDATION_ERROR", "INTERNAL_ERROR"]},
                "type": TEXT,
                "message": TEXT,
                "status_code": {"type": "integer"},
                "details": {
                    "type": "object",
                    "properties": {
                        "request_id": TEXT,
                        "fields": {
                            "type": "object",
                            "additionalProperties": {"type": "array", "items": TEXT},
                        },
                    },
                },
            },
        },
        "timestamp": {"type": "string", "format": "date-time"},
    },
}

OPENAI_ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": TEXT,
                "type": TEXT,
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        }
    },
}
