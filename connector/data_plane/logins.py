"""OAuth logins of people: a worker holds the flow while the person is at the authorization server.

`login` `{server_id, redirect_uri}` answers `{url, state}`, and the person is sent to the URL. The parameters
of the redirect back, as `login/answer` `{code, state, iss}`, answer `{}` once the tokens are stored. Either
may answer `{error}`, as `core.message` stores it. Bodies are encrypted: they hold a code, and may come from
another machine.
"""

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from connector import grants
from connector.data_plane.answers import Answer
from connector.errors import LoginRequired, innermost
from connector.grants import Grant
from connector.lifecycle.unexpected import log_unexpected
from connector.session import log_in
from core.message import Message, stored, told
from tools.outbound.egress import AddressRefused
from tools.secrets.encryption import decrypt

log = logging.getLogger(__name__)

LOGIN_TIMEOUT_S = 600.0
STEP_TIMEOUT_S = 30.0
AT_ONCE = 64


class _Login:
    """One login under way. `url` is where the person goes, `answer` what the redirect brings back."""

    def __init__(self, grant: Grant, redirect_uri: str) -> None:
        loop = asyncio.get_running_loop()
        self.url: asyncio.Future[str] = loop.create_future()
        self.answer: asyncio.Future[Mapping[str, str]] = loop.create_future()
        self.task = asyncio.create_task(self._run(grant, redirect_uri))

    async def _run(self, grant: Grant, redirect_uri: str) -> None:
        async def show(url: str) -> None:
            self.url.set_result(url)

        async with asyncio.timeout(LOGIN_TIMEOUT_S):
            await log_in(grant, redirect_uri, show=show, answer=lambda: self.answer)


class OAuthLogins:
    """The logins of one worker. They end with it, and the person begins again."""

    def __init__(self) -> None:
        self._logins: dict[str, _Login] = {}

    async def begin(self, body: str, _: Answer) -> dict[str, Any]:
        asked = decrypt(body)
        return await _told(self._begin(asked["server_id"], asked["redirect_uri"]))

    async def answer(self, body: str, _: Answer) -> dict[str, Any]:
        return await _told(self._answer(decrypt(body)))

    async def _begin(self, server_id: int, redirect_uri: str) -> dict[str, str]:
        grant = await grants.find(server_id)
        if grant is None or len(self._logins) >= AT_ONCE:
            raise LoginRequired(Message("No login can be begun now."))
        login = _Login(grant, redirect_uri)
        waits: list[asyncio.Future[Any]] = [login.task, login.url]
        done, _ = await asyncio.wait(waits, timeout=STEP_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            login.task.cancel()
            raise LoginRequired(Message("The server did not say in time where to log in."))
        if not login.url.done():
            await login.task  # it has ended, and raises the reason if there is one
            raise LoginRequired(Message("The server asks for no login."))
        url = login.url.result()
        # The SDK's own state (RFC 6749, section 10.12) is the key by which the answer finds its login.
        [state] = parse_qs(urlsplit(url).query)["state"]
        self._logins[state] = login
        login.task.add_done_callback(lambda task: self._remove(state, task))
        return {"url": url, "state": state}

    def _remove(self, state: str, task: asyncio.Task[None]) -> None:
        self._logins.pop(state, None)
        if not task.cancelled():
            # asyncio complains about an exception that nobody has read, as that of a login nobody answered.
            task.exception()

    async def _answer(self, answer: Mapping[str, str]) -> dict[str, str]:
        # Removed first: an answer is good for one use.
        login = self._logins.pop(answer["state"], None)
        if login is None:
            raise LoginRequired(Message("This login is over. Begin it again."))
        login.answer.set_result(answer)
        async with asyncio.timeout(STEP_TIMEOUT_S):
            await login.task
        return {}


async def _told(work: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
    try:
        return await work
    # The boundary to a foreign server: whatever it does becomes a text for the person who logs in.
    except Exception as raised:  # noqa: BLE001
        error = innermost(raised)
        is_for_people = isinstance(error, LoginRequired | AddressRefused)
        text = (
            told(error)
            if is_for_people
            else Message("The server cannot be reached (%(error)s).", error=type(error).__name__)
        )
        log.info("A login failed: %s", type(error).__name__)
        log_unexpected(error, "Login")
        return {"error": stored(text)}
