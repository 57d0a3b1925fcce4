"""Hooks of the fuzzer, Schemathesis, which loads this module by SCHEMATHESIS_HOOKS."""

from typing import Any

import schemathesis


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """Leaves the slug out of changes: it cannot be changed, and each of them would only be refused."""
    if context.operation.method.upper() in {"PUT", "PATCH"} and isinstance(body, dict):
        return {name: value for name, value in body.items() if name != "slug"}
    return body
