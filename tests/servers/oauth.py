"""An MCP server behind a small but strict authorization server: `oauth.py [SWITCH]... PORT`.

expires=S         access tokens are good for so many seconds
sse               over the older transport
unregistered      offers no registration: its one client is CLIENT, with SECRET
needs=SCOPES      calls need these scopes: without them they are answered by 403 insufficient_scope
metadata          its metadata leads to a cloud's metadata service

`GET /log` lists the requests, `POST /revoke` ends all access tokens, `POST /forget` refresh tokens, too.
"""

import base64
import hashlib
import secrets
import sys
import time
from typing import Any
from urllib.parse import unquote, urlencode

import uvicorn
from mcp.server.mcpserver import MCPServer
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT, SECRET = "the-client", "the-secret:/?"
SWITCHES = {name: value for name, _, value in (argument.partition("=") for argument in sys.argv[1:-1])}
ORIGIN = f"http://127.0.0.1:{sys.argv[-1]}"
PATH = "/sse" if "sse" in SWITCHES else "/mcp"
ISSUER, RESOURCE = f"{ORIGIN}/as", f"{ORIGIN}{PATH}"

log: list[dict[str, Any]] = []
clients: dict[str, dict[str, Any]] = {CLIENT: {"client_secret": SECRET}}
codes: dict[str, dict[str, str]] = {}
access: dict[str, float] = {}
refresh: dict[str, str] = {}
scopes: dict[str, set[str]] = {}
"""By the client: what was asked for when somebody logged in last."""
NEEDED = set(SWITCHES.get("needs", "").split("+")) - {""}

server = MCPServer("oauth", version="1")


@server.tool()
def whoami() -> str:
    """Say who is logged in."""
    return "somebody"


def note(what: str, **details: Any) -> None:
    log.append({"what": what, **details})


def error(code: str, status: int = 400) -> Response:
    note("refused", code=code)
    return JSONResponse({"error": code}, status)


async def resource_metadata(_: Request) -> Response:
    issuer = "http://169.254.169.254/as" if "metadata" in SWITCHES else ISSUER
    return JSONResponse(
        {"resource": RESOURCE, "authorization_servers": [issuer], "scopes_supported": ["mcp"]}
    )


async def server_metadata(_: Request) -> Response:
    registration = {} if "unregistered" in SWITCHES else {"registration_endpoint": f"{ISSUER}/register"}
    return JSONResponse(
        {
            "issuer": ISSUER,
            "authorization_endpoint": f"{ISSUER}/authorize",
            "token_endpoint": f"{ISSUER}/token",
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
            **registration,
        }
    )


async def register(request: Request) -> Response:
    if "unregistered" in SWITCHES:
        return error("access_denied", 403)
    client = {**await request.json(), "client_id": secrets.token_hex(8), "token_endpoint_auth_method": "none"}
    clients[client["client_id"]] = client
    note("register", redirect_uris=client["redirect_uris"])
    return JSONResponse(client, 201)


async def authorize(request: Request) -> Response:
    """The person consents at once."""
    asked = dict(request.query_params)
    note("authorize", **asked)
    client = clients.get(asked["client_id"])
    allowed = None if client is None else client.get("redirect_uris", [asked["redirect_uri"]])
    if allowed is None or asked["redirect_uri"] not in allowed or asked["response_type"] != "code":
        return error("invalid_request")
    if asked["code_challenge_method"] != "S256" or asked["resource"] != RESOURCE:
        return error("invalid_target")
    # As strict services do: a client gets no scope that it was not registered for.
    if client is not None and not set(asked.get("scope", "").split()) <= set(client.get("scope", "").split()):
        return error("invalid_scope")
    scopes[asked["client_id"]] = set(asked.get("scope", "").split())
    codes[code := secrets.token_hex(16)] = asked
    answer = {"code": code, "state": asked["state"], "iss": ISSUER}
    return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(answer)}", 302)


async def token(request: Request) -> Response:
    form = {name: str(value) for name, value in (await request.form()).items()}
    note("token", **{name: form.get(name) for name in ("grant_type", "resource", "scope")})
    client = authenticated(request, form)
    if client is None:
        return error("invalid_client", 401)
    if form.get("resource") != RESOURCE:
        return error("invalid_target")
    checks = {"authorization_code": code_is_good, "refresh_token": refresh_is_good}
    if form["grant_type"] == "client_credentials":
        return issue("", refreshable=False) if client == CLIENT else error("unauthorized_client")
    return (
        issue(client, refreshable=True)
        if checks[form["grant_type"]](client, form)
        else error("invalid_grant")
    )


def authenticated(request: Request, form: dict[str, str]) -> str | None:
    header = request.headers.get("authorization", "")
    if header.startswith("Basic "):
        name, _, secret = base64.b64decode(header[6:]).decode().partition(":")
        name, secret = unquote(name), unquote(secret)
    else:
        name, secret = form.get("client_id", ""), form.get("client_secret", "")
    client = clients.get(name)
    return name if client is not None and client.get("client_secret", "") == secret else None


def code_is_good(client: str, form: dict[str, str]) -> bool:
    asked = codes.pop(form["code"], None)
    if asked is None or asked["client_id"] != client or asked["redirect_uri"] != form["redirect_uri"]:
        return False
    digest = hashlib.sha256(form["code_verifier"].encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=") == asked["code_challenge"]


def refresh_is_good(client: str, form: dict[str, str]) -> bool:
    """Each is good for one use."""
    return refresh.pop(form["refresh_token"], None) == client


def issue(client: str, *, refreshable: bool) -> Response:
    lifetime = int(SWITCHES.get("expires", 3600))
    access[given := secrets.token_hex(16)] = time.time() + lifetime
    scopes[given] = scopes.get(client, set())
    answer: dict[str, Any] = {"access_token": given, "token_type": "Bearer", "expires_in": lifetime}
    if refreshable:
        refresh[another := secrets.token_hex(16)] = client
        answer["refresh_token"] = another
    return JSONResponse(answer)


async def requests(_: Request) -> Response:
    return JSONResponse(log)


async def revoke(request: Request) -> Response:
    access.clear()
    if request.url.path == "/forget":
        refresh.clear()
    return Response(status_code=204)


class BearerRequired:
    """Demands a bearer token for the MCP endpoints."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"].startswith((PATH, "/messages")):
            bearer = Request(scope).headers.get("authorization", "").removeprefix("Bearer ")
            if access.get(bearer, 0) < time.time():
                note("unknown", token=bearer)
                where = f"{ORIGIN}/.well-known/oauth-protected-resource{PATH}"
                challenge = {"www-authenticate": f'Bearer resource_metadata="{where}"'}
                await Response(status_code=401, headers=challenge)(scope, receive, send)
                return
            if NEEDED - scopes[bearer] and scope["method"] == "POST":
                receive, body = await read(receive)
                if b"tools/call" in body:
                    demand = f'Bearer error="insufficient_scope", scope="{" ".join(sorted(NEEDED))}"'
                    await Response(status_code=403, headers={"www-authenticate": demand})(
                        scope, receive, send
                    )
                    return
        await self._app(scope, receive, send)


async def read(receive: Any) -> tuple[Any, bytes]:
    """Returns what gives the body again, and the body."""
    messages = [await receive()]
    while messages[-1].get("more_body"):
        messages.append(await receive())
    body = b"".join(message.get("body", b"") for message in messages)

    async def again() -> Any:
        return messages.pop(0) if messages else await receive()

    return again, body


app = server.sse_app() if "sse" in SWITCHES else server.streamable_http_app()
app.router.routes.extend(
    [
        Route(f"/.well-known/oauth-protected-resource{PATH}", resource_metadata),
        Route("/.well-known/oauth-authorization-server/as", server_metadata),
        Route("/as/register", register, methods=["POST"]),
        Route("/as/authorize", authorize),
        Route("/as/token", token, methods=["POST"]),
        Route("/log", requests),
        Route("/revoke", revoke, methods=["POST"]),
        Route("/forget", revoke, methods=["POST"]),
    ]
)

if __name__ == "__main__":
    uvicorn.run(BearerRequired(app), port=int(sys.argv[-1]), log_level="critical")
