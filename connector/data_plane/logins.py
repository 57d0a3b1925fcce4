"""Logins of people that a worker has begun: it holds the flow while the person is at the other server.

`POST /login` `{server_id, redirect_uri}` gives `{url, state}`, and the person goes there. What comes back, as
`POST /login/answer` `{code, state, iss}`, gives `{}` when the tokens are kept. Either gives `{error}`, for
people. Bodies are encrypted: they hold a code, and may come from another machine.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
from aiohttp import web

from connector import grants
from connector.errors import LoginRequired, innermost
from connector.grants import Grant
from connector.session import log_in
from tools.outbound.egress import AddressRefused
from tools.secrets.encryption import decrypt

log = logging.getLogger(__name__)

PATIENCE_S = 600.0
STEP_S = 30.0
AT_ONCE = 64


class _Flow:
    """One login. `url` is where the person goes."""

    def __init__(self, grant: Grant, redirect_uri: str) -> None:
        loop = asyncio.get_running_loop()
        self.url: asyncio.Future[str] = loop.create_future()
        self.answer: asyncio.Future[Mapping[str, str]] = loop.create_future()
        self.task = asyncio.create_task(self._run(grant, redirect_uri))

    async def _run(self, grant: Grant, redirect_uri: str) -> None:
        async def show(url: str) -> None:
            self.url.set_result(url)

        async with asyncio.timeout(PATIENCE_S):
            await log_in(grant, redirect_uri, show=show, answer=lambda: self.answer)


class LoginFlows:
    """Those of one worker. They end with it, and the person begins anew."""

    def __init__(self) -> None:
        self._flows: dict[str, _Flow] = {}

    async def begin(self, request: web.Request) -> web.Response:
        return await _told(self._begin(**decrypt((await request.read()).decode())))

    async def answer(self, request: web.Request) -> web.Response:
        return await _told(self._answer(decrypt((await request.read()).decode())))

    async def _begin(self, server_id: int, redirect_uri: str) -> dict[str, str]:
        grant = await grants.find(server_id)
        if grant is None or len(self._flows) >= AT_ONCE:
            raise LoginRequired("No login can be begun now.")
        flow = _Flow(grant, redirect_uri)
        waits: list[asyncio.Future[Any]] = [flow.task, flow.url]
        done, _ = await asyncio.wait(waits, timeout=STEP_S, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            flow.task.cancel()
            raise LoginRequired("The server did not say in time where to log in.")
        if not flow.url.done():
            await flow.task  # it has ended, and may tell why
            raise LoginRequired("The server asks for no login.")
        url = flow.url.result()
        [state] = parse_qs(urlsplit(url).query)["state"]
        self._flows[state] = flow
        flow.task.add_done_callback(lambda task: self._end(state, task))
        return {"url": url, "state": state}

    def _end(self, state: str, task: asyncio.Task[None]) -> None:
        self._flows.pop(state, None)
        if not task.cancelled():
            task.exception()  # heard by who waits for it, or by nobody

    async def _answer(self, answer: Mapping[str, str]) -> dict[str, str]:
        flow = self._flows.pop(answer["state"], None)
        if flow is None:
            raise LoginRequired("This login is over. Begin it again.")
        flow.answer.set_result(answer)
        async with asyncio.timeout(STEP_S):
            await flow.task
        return {}


async def _told(work: Any) -> web.Response:
    try:
        told = await work
    except Exception as raised:  # noqa: BLE001 - whatever a foreign server does is told to who logs in
        error = innermost(raised)
        is_for_people = isinstance(error, LoginRequired | AddressRefused)
        text = str(error) if is_for_people else f"The server cannot be reached ({type(error).__name__})."
        log.info("A login failed: %s", type(error).__name__)
        told = {"error": text}
    return web.Response(body=orjson.dumps(told))
