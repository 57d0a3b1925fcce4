"""JSON-RPC 2.0 messages: what a client posts, and what it is sent."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

import orjson

from assistants.mcp_endpoint.protocol import INVALID_REQUEST, PARSE_ERROR, RpcError
from core import off_loop, strict_json
from core.errors import InvalidRequest

MessageId: TypeAlias = str | int
_MEMBERS = frozenset({"jsonrpc", "id", "method", "params", "result", "error"})
_LONGEST_ID = 256


@dataclass(frozen=True, slots=True)
class Request:
    id: MessageId
    method: str
    params: dict[str, Any] = field(default_factory=dict)

    @property
    def meta(self) -> dict[str, Any]:
        meta = self.params.get("_meta")
        return meta if isinstance(meta, dict) else {}


@dataclass(frozen=True, slots=True)
class Notification:
    method: str
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Response:
    """An answer to a request of ours. `outcome` is its `result`, or `{"error": {..}}`."""

    id: MessageId
    outcome: dict[str, Any]


Message: TypeAlias = Request | Notification | Response
_Json = TypeVar("_Json")


async def parsed(body: bytes) -> Message:
    """Returns the message in a request's body. Raises RpcError.

    JSON that two parsers may read differently is refused: see `core.strict_json`.
    """
    return _message(await _loaded(body, strict_json.loads))


async def parsed_batch(body: bytes) -> list[Message | RpcError]:
    """Returns the messages of a batch, and in place of one that is none the error. Raises RpcError."""
    return [_message_or_error(value) for value in await _loaded(body, strict_json.loads_list)]


def is_batch(body: bytes) -> bool:
    return body.lstrip()[:1] == b"["


async def _loaded(body: bytes, loads: Callable[[bytes], _Json]) -> _Json:
    try:
        return await off_loop.run(lambda: loads(body), size=len(body))
    except InvalidRequest as error:
        code = PARSE_ERROR if error.get_codes() == "invalid_json" else INVALID_REQUEST
        raise RpcError(code, str(error.detail), status=400) from None


def _message_or_error(value: Any) -> Message | RpcError:
    if not isinstance(value, dict):
        return _invalid("A message must be a JSON object.")
    try:
        return _message(value)
    except RpcError as error:
        return error


def _message(value: dict[str, Any]) -> Message:
    for name in value:
        # A server behind us may fold the case of names, and would read another message than we do.
        if name not in _MEMBERS and name.lower() in _MEMBERS:
            raise _invalid(f"The member {name!r} differs from a member of JSON-RPC in its case alone.")
    if value.get("jsonrpc") != "2.0":
        raise _invalid('The message must have "jsonrpc": "2.0".')
    params = value.get("params", {})
    if params is None:
        params = {}
    if not isinstance(params, dict):
        raise _invalid('"params" must be an object.')
    if "method" not in value:
        return _response(value)
    if not isinstance(value["method"], str):
        raise _invalid('"method" must be a string.')
    if "id" not in value:
        return Notification(value["method"], params)
    return Request(_id(value), value["method"], params)


def _response(value: dict[str, Any]) -> Response:
    if isinstance(value.get("result"), dict):
        return Response(_id(value), value["result"])
    if isinstance(value.get("error"), dict):
        return Response(_id(value), {"error": value["error"]})
    raise _invalid('The message has neither "method" nor "result" nor "error".')


def _id(value: dict[str, Any]) -> MessageId:
    match value.get("id"):
        case str(found) if len(found) <= _LONGEST_ID:
            return found
        case int(found) if not isinstance(found, bool):
            return found
    raise _invalid(f'"id" must be a string of up to {_LONGEST_ID} characters, or an integer of 64 bits.')


def _invalid(message: str) -> RpcError:
    return RpcError(INVALID_REQUEST, message, status=400)


def result(message_id: MessageId, value: dict[str, Any] | bytes) -> bytes:
    """Returns the answer to a request. `value` may be JSON already."""
    encoded = value if isinstance(value, bytes) else orjson.dumps(value)
    return b'{"jsonrpc":"2.0","id":' + orjson.dumps(message_id) + b',"result":' + encoded + b"}"


def failure(message_id: MessageId | None, error: RpcError) -> bytes:
    """Returns an error; without an id where that of the request is not known."""
    body: dict[str, Any] = {"jsonrpc": "2.0"}
    if message_id is not None:
        body["id"] = message_id
    body["error"] = {"code": error.code, "message": error.message}
    if error.data is not None:
        body["error"]["data"] = error.data
    return orjson.dumps(body)


def batch(answers: Sequence[bytes]) -> bytes:
    return b"[" + b",".join(answers) + b"]"


def notification(method: str, params: dict[str, Any] | None = None) -> bytes:
    return orjson.dumps({"jsonrpc": "2.0", "method": method, **({"params": params} if params else {})})


def request(message_id: MessageId, method: str, params: dict[str, Any]) -> bytes:
    return orjson.dumps({"jsonrpc": "2.0", "id": message_id, "method": method, "params": params})


def event(message: bytes) -> bytes:
    """Returns a message as a server-sent event (WHATWG HTML, section 9.2)."""
    return b"event: message\ndata: " + message + b"\n\n"
