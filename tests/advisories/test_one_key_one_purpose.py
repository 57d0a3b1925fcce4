"""One key for two purposes: each signed or encrypted thing is worth something in its own place alone."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
from asgiref.sync import async_to_sync
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from apikeys import actions as key_actions
from apikeys.authentication import authenticate
from apikeys.errors import InvalidApiKey
from assistants.actions.approval_codes import code_hash, is_code_of, new_code
from assistants.approvals import Asker
from assistants.catalogue import FunctionEntry
from assistants.console import approval_changes
from assistants.mcp_endpoint import sessions
from assistants.tool_calls import questions
from connector.client import round_trips
from connector.data_plane.connection import Connection
from connector.errors import InvalidState
from connector.wire.frames import HELLO, frame
from connector.wire.token import data_plane_token
from core.actor import Actor
from tools.admin import server_changes
from tools.secrets.encryption import UndecryptableSecret, decrypt, encrypt

BY = Actor.system("tests")
CODE = new_code()
FUNCTION = FunctionEntry(1, "Clock", "clock", "now", "clock__now", "", {}, 1.0)

Reader = Callable[[str], bool]
"""Returns whether a text is accepted in this place."""


def by_key(text: str) -> bool:
    try:
        return async_to_sync(authenticate)(f"Bearer {text}") is not None
    except InvalidApiKey:
        return False


def by_management_key(text: str) -> bool:
    return Client().get("/api/v1/me", headers={"authorization": f"Bearer {text}"}).status_code == 200


def by_session_of_mcp(text: str) -> bool:
    return sessions.read(text) is not None


def by_round_trip(text: str) -> bool:
    try:
        return round_trips.opened(text, 1, 1) is not None
    except InvalidState:
        return False


def by_question(text: str) -> bool:
    try:
        return questions.opened(text, asker(), FUNCTION, {}) is not None
    except InvalidState:
        return False


def by_address(path: str) -> Reader:
    def accepts(text: str) -> bool:
        return Client().get(path, {"of": text}).status_code == 200

    return accepts


def by_code(text: str) -> bool:
    return is_code_of(text, code_hash(CODE))


def by_secret(text: str) -> bool:
    try:
        return decrypt(text) is not None
    except UndecryptableSecret:
        return False


def by_login(text: str) -> bool:
    client = Client()
    client.cookies[settings.SESSION_COOKIE_NAME] = text
    return client.get("/admin/").status_code == 200


def by_worker(text: str) -> bool:
    async def greeting() -> bytes:
        ours, theirs = socket.socketpair()
        loop = asyncio.get_running_loop()
        await loop.connect_accepted_socket(lambda: Connection({}, set()), ours)
        reader, writer = await asyncio.open_connection(sock=theirs)
        writer.write(frame(HELLO, 0, orjson.dumps({"version": 1, "token": text})))
        try:
            return await reader.readuntil(b"}")
        finally:
            writer.close()
            await writer.wait_closed()

    return b"refused" not in asyncio.run(greeting())


READERS: dict[str, Reader] = {
    "API key": by_key,
    "API key of the management API": by_management_key,
    "session of an MCP client": by_session_of_mcp,
    "state of a round trip": by_round_trip,
    "state of a question": by_question,
    "address of changed servers": by_address("/admin/servers/changes"),
    "address of changed approvals": by_address("/admin/approvals/changes"),
    "code of an approval": by_code,
    "stored secret": by_secret,
    "login to the console": by_login,
    "token of the data plane": by_worker,
}


def asker() -> Asker:
    principal: Any = type("Principal", (), {"limited_as": "1", "id": 1})()
    return Asker(principal, "run")


def texts(user: User) -> dict[str, str]:
    """Returns something that each reader accepts, by the reader's name."""
    client = Client()
    client.force_login(user)
    key = key_actions.issue(by=BY, name="All purposes", can_manage=True).key

    def signed(address: str) -> str:
        return parse_qs(urlsplit(address).query)["of"][0]

    return {
        "API key": key,
        "API key of the management API": key,
        "session of an MCP client": sessions.opened(1, "/mcp", "2025-11-25", {}).id,
        "state of a round trip": round_trips.sealed(round_trips.State(of_server="x"), 1, 1),
        "state of a question": questions.sealed(1, asker(), FUNCTION, {}),
        "address of changed servers": signed(server_changes.address([])),
        "address of changed approvals": signed(approval_changes.address()),
        "code of an approval": CODE,
        "stored secret": encrypt("secret"),
        "login to the console": client.cookies[settings.SESSION_COOKIE_NAME].value,
        "token of the data plane": data_plane_token(),
    }


KEYS = {name for name in READERS if name.startswith("API key")}


@pytest.mark.django_db(transaction=True)
def test_one_key_for_two_purposes(admin_user: User) -> None:
    """LiteLLM 114612: a salt key that was used for two things made an admin of whoever held one of them.

    ContextForge 110278, Open WebUI 70482: a token was taken in a place for which nobody had issued it.
    """
    made = texts(admin_user)
    assert made.keys() == READERS.keys()
    wrong = [
        f"{of} as {place}: {'accepted' if is_accepted else 'refused'}"
        for of, text in made.items()
        for place, accepts in READERS.items()
        if (is_accepted := accepts(text)) != (of == place or {of, place} == KEYS)
    ]
    assert wrong == []


@pytest.mark.parametrize("prefix", ["approval:", ""])
def test_a_state_does_not_become_a_question_by_its_prefix(prefix: str) -> None:
    """As above, for the two states that MCP clients send back in one field."""
    state = prefix + round_trips.sealed(round_trips.State(of_server="x"), 1, 1)
    assert not by_question(state)
    assert not by_round_trip(questions.sealed(1, asker(), FUNCTION, {}).removeprefix("approval:"))
