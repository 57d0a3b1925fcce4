"""Hidden rounds that are restored: no more than a process can hold."""

from typing import Any

import pytest

from apikeys import actions as key_actions
from apikeys.authentication import authenticate
from assistants import actions
from assistants.catalogue import find
from assistants.conversations import hidden_rounds
from tests.connector.conftest import BY, orm

pytestmark = pytest.mark.django_db(transaction=True)


def turn(call_id: str) -> dict[str, Any]:
    call = {"id": call_id, "type": "function", "function": {"name": "look", "arguments": "{}"}}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


async def test_of_too_much_the_latest_is_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    issued = await orm(key_actions.issue)(by=BY, name="caller")
    await orm(actions.create)(by=BY, name="hidden", slug="of-hidden-rounds", api_keys=[issued.api_key])
    principal = await authenticate(f"Bearer {issued.key}")
    assistant = await find("of-hidden-rounds", principal)
    ids = ["call-a", "call-b", "call-c"]
    for call_id in ids:
        hidden = ({"role": "assistant", "content": "hidden " * 1_000}, turn(call_id))
        await hidden_rounds._insert(call_id, hidden, principal.id, assistant.id)
    visible = [
        message for call_id in ids for message in (turn(call_id), {"role": "tool", "tool_call_id": call_id})
    ]
    whole = await hidden_rounds.restored(visible, principal, assistant)
    monkeypatch.setattr(hidden_rounds, "MOST_RESTORED_BYTES", 25_000)
    bounded = await hidden_rounds.restored(visible, principal, assistant)
    assert (len(visible), len(whole), len(bounded)) == (6, 9, 8)
    assert bounded[:2] == visible[:2]
