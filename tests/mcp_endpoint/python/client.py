"""Lists tools and calls one, by version 1 of the SDK: `client.py URL KEY TOOL`. Prints JSON."""

import asyncio
import json
import sys

from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client


async def main(url: str, key: str, name: str) -> None:
    headers = {"authorization": f"Bearer {key}"}
    async with (
        streamablehttp_client(url, headers=headers) as (read, write, _),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        listed, called = await session.list_tools(), await session.call_tool(name, {"say": "hi"})
    print(json.dumps({"tools": dump(listed)["tools"], "result": dump(called)}))


def dump(result):
    return result.model_dump(mode="json", by_alias=True, exclude_none=True)


asyncio.run(main(*sys.argv[1:]))
