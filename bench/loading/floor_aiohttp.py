"""A floor: a proxy of aiohttp that passes requests on and nothing else. `floor_aiohttp.py PORT LLM MCP`."""

import sys
from collections.abc import AsyncIterator

from aiohttp import ClientSession, TCPConnector, web

PASSED = ("content-type", "mcp-session-id")


def application(llm: str, mcp: str) -> web.Application:
    """`llm` and `mcp`: URLs of what stands behind it, without a path."""
    made = web.Application(client_max_size=2**24)
    session = web.AppKey("session", ClientSession)

    async def lifespan(app: web.Application) -> AsyncIterator[None]:
        async with ClientSession(connector=TCPConnector(limit=0)) as app[session]:
            yield

    async def forward(request: web.Request) -> web.StreamResponse:
        url = (mcp if request.path.startswith("/mcp") else llm) + request.path
        headers = {name: request.headers[name] for name in PASSED if name in request.headers}
        async with request.app[session].post(url, data=await request.read(), headers=headers) as answer:
            passed = {name: answer.headers[name] for name in PASSED if name in answer.headers}
            response = web.StreamResponse(status=answer.status, headers=passed)
            await response.prepare(request)
            async for part in answer.content.iter_any():
                await response.write(part)
            await response.write_eof()
            return response

    made.cleanup_ctx.append(lifespan)
    made.router.add_post("/{path:.*}", forward)
    return made


if __name__ == "__main__":
    port, *behind = sys.argv[1:]
    web.run_app(application(*behind), host="127.0.0.1", port=int(port), print=None, access_log=None)
