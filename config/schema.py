"""The parts of the OpenAPI description that drf-spectacular cannot derive from the code."""

from collections.abc import Iterator, Mapping
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerExtension

Schema = dict[str, Any]
HTTP_METHODS = {"get", "post", "put", "patch", "delete"}
OPENAI_PREFIXES = ("/v1/", "/api/v1/chat", "/api/v1/models", "/api/v1/embeddings", "/api/v1/responses")
TEXT = {"type": "string"}


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "apikeys.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "ak-123456-..."}


class StrictSerializerExtension(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    target_class = "core.api.serializers.StrictSerializer"
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> Schema:
        """Says that unknown fields are refused. A later version may answer with more fields."""
        schema: Schema = auto_schema._map_serializer(  # noqa: SLF001 - as drf-spectacular's own extensions do
            self.target, direction, bypass_extensions=True
        )
        return {**schema, "additionalProperties": False} if direction == "request" else schema


def describe_requests(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """A postprocessing hook: other objects in requests may have more fields, which are ignored."""
    for operations in result["paths"].values():
        for method in HTTP_METHODS & operations.keys():
            body = operations[method].get("requestBody", {})
            for each in _objects([body], result["components"]["schemas"], set()):
                each.setdefault("additionalProperties", True)
    return result


def _objects(pending: list[Any], components: Mapping[str, Schema], seen: set[str]) -> Iterator[Schema]:
    """Yields the schemas of objects with fields, in these and in whatever they refer to."""
    while pending:
        found = pending.pop()
        if isinstance(found, list):
            pending += found
        elif isinstance(found, dict):
            name = str(found.get("$ref", "")).rpartition("/")[2]
            if name and name not in seen:
                seen.add(name)
                pending.append(components[name])
            if isinstance(found.get("properties"), dict):
                yield found
            pending += found.values()


def link_items(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """A postprocessing hook: links (OpenAPI 3.1, 4.8.20) from what was created to its own operations."""
    for path, operations in result["paths"].items():
        item = f"{path}/{{id}}"
        created = operations.get("post", {}).get("responses", {}).get("201")
        if created and item in result["paths"]:
            created["links"] = {
                operation["operationId"]: {
                    "operationId": operation["operationId"],
                    "parameters": {"id": "$response.body#/id"},
                }
                for method, operation in result["paths"][item].items()
                if method in HTTP_METHODS
            }
    return result


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
