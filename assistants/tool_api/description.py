"""The tools of an assistant as an OpenAPI 3.1 description: each is an operation, its name the operationId."""

from collections.abc import Mapping
from typing import Any

from assistants.catalogue import AssistantEntry, FunctionEntry

_SCHEMAS = "#/components/schemas"
_DATA = {"enum", "const", "default", "example", "examples"}
"""Keywords whose values are no schemas: what looks like a reference in them is none."""
_OF_SCHEMAS = {"properties", "patternProperties", "dependentSchemas", "$defs", "definitions"}
"""Their members are named by the server: a parameter called `default` must not be taken for a keyword."""
_CONTENT = {
    "type": "object",
    "required": ["content"],
    "properties": {"content": {"type": "array", "items": {"type": "object"}}},
}
_ERROR = {
    "type": "object",
    "required": ["success", "error"],
    "properties": {
        "success": {"const": False},
        "error": {
            "type": "object",
            "required": ["code", "type", "message", "status_code"],
            "properties": {
                "code": {"type": "string"},
                "type": {"type": "string"},
                "message": {"type": "string"},
                "status_code": {"type": "integer"},
                "details": {"type": "object"},
            },
        },
    },
}


def of(assistant: AssistantEntry, url: str) -> dict[str, Any]:
    """`url`: of the assistant, without a slash at its end; the paths of the tools follow it."""
    return {
        "openapi": "3.1.0",
        "info": {"title": assistant.name, "description": assistant.description, "version": "1.0.0"},
        "servers": [{"url": url}],
        "security": [{"apiKey": []}],
        "paths": {f"/tools/{each.public_name}": {"post": _operation(each)} for each in assistant.functions},
        "components": {
            "securitySchemes": {"apiKey": {"type": "http", "scheme": "bearer"}},
            "schemas": {"content": _CONTENT, "error": _ERROR, **_schemas(assistant)},
        },
    }


def _operation(function: FunctionEntry) -> dict[str, Any]:
    name = function.public_name
    answer = "content" if function.output_schema is None else f"{name}.output"
    return {
        "operationId": name,
        "summary": function.title or function.name,
        "description": function.description,
        "requestBody": {"required": True, "content": _json(f"{name}.input")},
        "responses": {
            "200": {"description": "The result.", "content": _json(answer)},
            "default": {"description": "Anything that went wrong.", "content": _json("error")},
        },
    }


def _json(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"{_SCHEMAS}/{schema}"}}}


def _schemas(assistant: AssistantEntry) -> dict[str, Any]:
    schemas: dict[str, Mapping[str, Any]] = {}
    for function in assistant.functions:
        schemas[f"{function.public_name}.input"] = function.input_schema
        if (output := function.output_schema) is not None:
            schemas[f"{function.public_name}.output"] = output
    return {name: _within(schema, f"{_SCHEMAS}/{name}") for name, schema in schemas.items()}


def _within(schema: Any, place: str) -> Any:
    """Returns the schema with its references to itself (`#/$defs/..`) as they are in this place."""
    if isinstance(schema, list):
        return [_within(each, place) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {name: value if name in _DATA else _moved(name, value, place) for name, value in schema.items()}


def _moved(name: str, value: Any, place: str) -> Any:
    if name == "$ref" and isinstance(value, str) and value.startswith("#"):
        return f"{place}{value[1:]}"
    if name in _OF_SCHEMAS and isinstance(value, dict):
        return {each: _within(schema, place) for each, schema in value.items()}
    return _within(value, place)
