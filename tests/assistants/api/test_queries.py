"""The number of queries of a request does not grow with the rows that it answers with."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apikeys.actions import IssuedKey
from assistants import actions
from assistants.models import Assistant
from tests.assistants.api.conftest import BY, Client, key, server
from tests.assistants.api.test_runs import CALL, run
from tests.queries import assert_queries, assert_same_queries

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(db: None) -> IssuedKey:
    return key("alice")


def helper(name: str, api_key: IssuedKey, *, size: int = 1) -> Assistant:
    """Creates an assistant with `size` servers, each with as many functions, `size` aliases and keys."""
    functions = [f"f{number}" for number in range(size)]
    others = [key(f"{name} {number}").api_key for number in range(size - 1)]
    return actions.create(
        by=BY,
        name=name,
        aliases=[f"{name}-{number}" for number in range(size)],
        tools=[server(f"{name} {number}", *functions) for number in range(size)],
        api_keys=[api_key.api_key, *others],
    )


def grow(assistant: Assistant, api_key: IssuedKey, *, size: int) -> None:
    other = helper(f"{assistant.slug}-other", api_key, size=size)
    servers, keys = list(other.tools.all()), list(other.api_keys.all())
    actions.update(other, by=BY, aliases=())
    actions.update(
        assistant,
        by=BY,
        tools=servers,
        api_keys=keys,
        aliases=[f"{assistant.slug}-{number}" for number in range(size)],
    )


@pytest.mark.parametrize("path", ["assistants", "api-keys/{key}/access"])
def test_lists_of_assistants(api: Client, alice: IssuedKey, path: str) -> None:
    helper("first", alice)

    def add() -> None:
        for number in range(4):
            helper(f"more-{number}", alice, size=3)

    assert_same_queries(lambda: api.read(path.format(key=alice.api_key.pk)), after=add)


@pytest.mark.parametrize("path", ["assistants/helper", "api-keys/{key}/access"])
def test_an_assistant_with_more_servers_functions_keys_and_aliases(
    api: Client, alice: IssuedKey, path: str
) -> None:
    assistant = helper("helper", alice)
    assert_same_queries(
        lambda: api.read(path.format(key=alice.api_key.pk)), after=lambda: grow(assistant, alice, size=5)
    )


@pytest.mark.parametrize("path", ["assistants", "assistants/helper", "api-keys/{key}/access"])
def test_neither_vectors_nor_secrets_of_servers_are_read(api: Client, alice: IssuedKey, path: str) -> None:
    helper("helper", alice)
    with CaptureQueriesContext(connection) as captured:
        api.read(path.format(key=alice.api_key.pk))
    read = "\n".join(query["sql"] for query in captured)
    assert '"tools_mcptool"' in read
    for column in ("embedding", "env", "headers", "args", "url"):
        assert f'"tools_mcptool"."{column}"' not in read
    for column in ("embedding", "words", "input_schema"):
        assert f'"tools_toolfunction"."{column}"' not in read


@pytest.mark.parametrize("path", ["me", "providers", "providers/{provider}", "providers/environment"])
def test_keys_and_providers(api: Client, alice: IssuedKey, path: str) -> None:
    fields = {"base_url": "http://127.0.0.1:9/v1", "default_model": "tiny"}
    provider = actions.add_provider(by=BY, name="first", **fields)
    helper("helper", alice)
    client = Client(alice.key) if path == "me" else api

    def add() -> None:
        for number in range(4):
            other = actions.add_provider(by=BY, name=f"more {number}", **fields)
            assistant = helper(f"more-{number}", alice)
            actions.update(assistant, by=BY, provider=other, fallback_provider=provider)

    assert_same_queries(lambda: client.read(path.format(provider=provider.pk)), after=add)


@pytest.mark.parametrize(
    "path",
    [
        "runs",
        "runs/{run}",
        "sessions",
        "sessions/{session}",
        "sessions/{session}/messages",
        "usage",
        "usage?group_by=api_key,assistant,model,day",
    ],
)
def test_runs_sessions_and_usage(api: Client, alice: IssuedKey, path: str) -> None:
    run_id = run(helper("helper", alice), alice.api_key, session="chat", calls=(CALL,))
    [session] = api.read("sessions")

    def add() -> None:
        for number in range(4):
            other, bob = helper(f"more-{number}", alice), key(f"bob {number}").api_key
            run(other, bob, session=f"chat {number}", calls=(CALL,) * 5)
            run(other, alice.api_key, session="chat")

    assert_same_queries(lambda: api.read(path.format(run=run_id, session=session["id"])), after=add)


def test_a_run_with_more_calls(api: Client, alice: IssuedKey) -> None:
    assistant = helper("helper", alice)
    short = run(assistant, alice.api_key, calls=(CALL,))
    long = run(assistant, alice.api_key, calls=(CALL,) * 5)
    paths = iter([short, short, long])
    assert_same_queries(lambda: api.read(f"runs/{next(paths)}"), after=lambda: None)


def test_a_change_asks_for_nothing_that_it_does_not_need(api: Client, alice: IssuedKey) -> None:
    helper("helper", alice, size=3)
    api.change("assistants/helper", {"description": "one"})  # fills the caches of the process
    with assert_queries(6):
        api.change("assistants/helper", {"description": "two"})
