"""A hand-rolled HTTP server of the older era that can be made to misbehave: `web.py [CERTIFICATE] PORT`.

The tool `become` makes the next `times` requests be answered in a `way`: a key of WAYS.
"""

import asyncio
import json
import sys
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

sessions: set[str] = set()
way = ["", 0]
called: list[str] = []


async def cut() -> AsyncIterator[bytes]:
    yield b": here it comes\n\n"


async def silent() -> AsyncIterator[bytes]:
    yield b": wait\n\n"
    await asyncio.sleep(600)


WAYS: dict[str, Callable[[], Response]] = {
    "500": lambda: Response("<h1>Oops</h1>", 500, media_type="text/html"),
    "401": lambda: Response(status_code=401),
    "403": lambda: Response(
        status_code=403,
        headers={"www-authenticate": 'Bearer error="insufficient_scope", scope="mail.read mail.send"'},
    ),
    "null-result": lambda: Response('{"jsonrpc":"2.0","id":1,"result":null}', media_type="application/json"),
    "html": lambda: Response("<h1>Welcome</h1>", media_type="text/html"),
    "not-json": lambda: Response("{", media_type="application/json"),
    "redirect": lambda: RedirectResponse("http://127.0.0.1:9/elsewhere?token=canary", 307),
    "cut": lambda: StreamingResponse(cut(), media_type="text/event-stream"),
    "silent": lambda: StreamingResponse(silent(), media_type="text/event-stream"),
}
BROKEN = ("broken", "broken_event")
TOOLS = [
    *({"name": name, "inputSchema": {"type": "object"}} for name in BROKEN),
    {"name": "become", "inputSchema": {"type": "object"}},
    {"name": "count", "inputSchema": {"type": "object"}},
    {"name": "read", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": True}},
]


async def post(request: Request) -> Response:  # noqa: PLR0911 - one for each case
    message = await request.json()
    method, session = message["method"], request.headers.get("mcp-session-id")
    if "id" not in message:
        return Response(status_code=202)
    if method == "initialize":
        return greet(message)
    if method == "server/discover":
        # As the TypeScript SDK answers a request without a session.
        error = {"code": -32000, "message": "Bad Request: Mcp-Session-Id header is required"}
        return JSONResponse({"jsonrpc": "2.0", "id": None, "error": error}, 400)
    if session not in sessions:
        error = {"code": -32001, "message": "Session not found"}
        return JSONResponse({"jsonrpc": "2.0", "id": None, "error": error}, 404)
    if way[1]:
        way[1] -= 1
        return WAYS[way[0]]()
    if message.get("params", {}).get("name") in BROKEN:
        return broken(message["id"], message["params"]["name"])
    if method == "tools/list":
        return answer(message, result={"tools": TOOLS})
    return answer(message, result={"content": [{"type": "text", "text": call(**message["params"])}]})


def broken(number: int, name: str) -> Response:
    """A result whose text is half of a surrogate pair, and a byte that is no UTF-8."""
    result = {"content": [{"type": "text", "text": "a\ud83d?"}]}
    body = json.dumps({"jsonrpc": "2.0", "id": number, "result": result}).encode().replace(b"?", b"\xff")
    if name == "broken_event":
        return Response(b"event: message\ndata: " + body + b"\n\n", media_type="text/event-stream")
    return Response(body, media_type="application/json")


def greet(message: dict[str, Any]) -> Response:
    sessions.add(session := uuid.uuid4().hex)
    info = {"name": "web", "version": "0"}
    result = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": info}
    return answer(message, result=result, headers={"mcp-session-id": session})


def answer(message: dict[str, Any], *, headers: Any = None, **outcome: Any) -> Response:
    return JSONResponse({"jsonrpc": "2.0", "id": message["id"], **outcome}, headers=headers)


def call(name: str, arguments: dict[str, Any], **_: Any) -> str:
    called.append(name)
    if name == "become" and arguments["way"] == "forgetful":
        sessions.clear()
    elif name == "become":
        way[:] = [arguments["way"], arguments["times"]]
    return json.dumps(called)


async def other(request: Request) -> Response:
    return Response(status_code=200 if request.method == "DELETE" else 405)


app = Starlette(
    routes=[
        Route("/mcp", post, methods=["POST"]),
        Route("/mcp", other, methods=["GET", "DELETE"]),
    ]
)

if __name__ == "__main__":
    *certificates, port = sys.argv[1:]
    secure = {"ssl_certfile": certificates[0]} if certificates else {}
    uvicorn.run(app, port=int(port), log_level="critical", **secure)
