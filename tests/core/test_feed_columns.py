"""What the caches read: each column is one that the change feed reports, or cannot change behind a cache."""

import re
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apikeys import actions as key_actions
from apikeys import authentication
from apikeys.models import ApiKey
from assistants import actions
from assistants.catalogue import cache, masking, servers
from assistants.console import approval_changes
from assistants.models import Conversation, Rule
from assistants.routing import last_assistant
from assistants.rules import loading
from connector.client import routes
from connector.models import Instance, Worker
from connector.states import SERVING
from core import feed
from core.actor import Actor
from core.feed import FeedCache
from tests.queries import assert_queries
from tools import actions as tool_actions
from tools.functions import catalogue
from tools.launch import LaunchSpec
from tools.models import MCPTool

pytestmark = pytest.mark.django_db
BY = Actor.system("tests")
UNCHANGING = {
    # Identities; the feed reports that a row appears or goes.
    "apikeys_apikey": {"id", "created_at"},
    "connector_instance": {"id", "server_id", "slot"},
    "assistants_conversation": {"api_key_id", "external_id", "id"},
    "assistants_approval": {"id"},
    "assistants_rule": {"id"},
    "tools_mcptool": {"id"},
    "tools_toolfunction": {"id"},
    "connector_worker": {"name", "host_id", "socket", "address"},
}
REPORTED_OTHERWISE = {
    # Changes along with the hash of the key.
    "apikeys_apikey": {"key_prefix"},
    # Where a vector of a server has changed, `assistants.routing.index` writes the assistant's row.
    "tools_mcptool": {"embedding", "embedder", "next_embedding", "next_embedder"},
    # An owner whose lease has run out refuses the call, by the fence, and the route is read anew.
    "connector_instance": {"expires_at"},
}


@pytest.fixture
def keys_of_caches() -> Mapping[FeedCache[Any, Any], Any]:
    """Something to load for every cache of a web process that may hold it for ever."""
    server = tool_actions.register(by=BY, name="Time", connection_type="stdio", command="python")
    catalogue.record(server.pk, [{"name": "now", "inputSchema": {"type": "object"}}])
    worker = Worker.objects.create(name="w", node="n", host_id="h", socket="s", seen_at=timezone.now())
    later = timezone.now() + timezone.timedelta(hours=1)
    Instance.objects.create(server=server, worker=worker, phase=next(iter(SERVING)), expires_at=later)
    issued = key_actions.issue(by=BY, name="caller")
    fields = {"tools": [server], "api_keys": [issued.api_key], "masks_secrets": True}
    helper = actions.create(by=BY, name="Helper", **fields)
    now = timezone.now()
    Conversation.objects.create(
        api_key=issued.api_key, external_id="s", assistant=helper, created_at=now, last_run_at=now
    )
    Rule.objects.create(name="Ask", effect="ask")
    return {
        authentication._principals: issued.api_key.key_hash,
        cache._by_name: "helper",
        cache._by_key: issued.api_key.pk,
        servers._by_id: server.pk,
        servers._ids: "",
        routes._cache: server.pk,
        last_assistant._last_assistants: (issued.api_key.pk, "s"),
        loading._cache: None,
        masking._masked: None,
        approval_changes._seen: None,
    }


def caches() -> dict[FeedCache[Any, Any], frozenset[str]]:
    """Every cache of a web process, with the tables that it hears of."""
    for module in ("config.application", "config.urls"):
        import_module(module)
    subscribed = ((getattr(each, "__self__", None), tables) for tables, each in feed._subscribers)
    return {each: tables for each, tables in subscribed if isinstance(each, FeedCache)}


def read_by(load: Any, key: Any) -> dict[str, set[str]]:
    """The columns that a load reads, in results and in conditions, by table."""
    with CaptureQueriesContext(connection) as captured:
        assert load.__wrapped__(key), "The scene has nothing for this cache."
    found: dict[str, set[str]] = {}
    for query in captured:
        sql = query["sql"]
        aliases = {alias: table for table, alias in re.findall(r'"(\w+)" ([UT]\d+)\b', sql)}
        for table, column in re.findall(r'"?(\w+)"?\."(\w+)"', sql):
            found.setdefault(aliases.get(table, table), set()).add(column)
    return found


def reported(tables: Iterable[str]) -> dict[str, set[str] | None]:
    """The columns that the feed reports, by table; None: all of them."""
    models = {model._meta.db_table: model for model in apps.get_models(include_auto_created=True)}
    declared = {table: getattr(models[table], "FEED_COLUMNS", None) for table in tables}
    return {table: None if columns is None else set(columns) for table, columns in declared.items()}


def test_every_column_that_a_cache_reads_is_reported(
    keys_of_caches: Mapping[FeedCache[Any, Any], Any],
) -> None:
    for each, tables in caches().items():
        if each._max_age_s < 60:
            continue  # an outdated value goes by itself
        if not hasattr(each._load, "__wrapped__"):
            continue  # it reads other caches, not the database
        assert each in keys_of_caches, f"Give a key for the cache of {each._load}."
        columns = reported(tables)
        for table, read in read_by(each._load, keys_of_caches[each]).items():
            known = columns.get(table, set())
            exempt = UNCHANGING.get(table, set()) | REPORTED_OTHERWISE.get(table, set())
            assert known is None or read - exempt <= known, (each._load, table)


def test_a_principal_reads_no_column_beyond_those_that_were_loaded() -> None:
    issued = key_actions.issue(by=BY, name="caller")
    row = ApiKey.objects.only(*authentication._COLUMNS).get()
    with assert_queries(0):
        authentication._principal(row, issued.api_key.key_hash)


def test_what_a_worker_launched_a_server_with_is_followed_by_its_generation() -> None:
    """A worker holds a LaunchSpec for as long as a server runs: a new generation has it read anew."""
    launched_with = set(LaunchSpec.__dataclass_fields__) - {"server_id", "generation"}
    unchanging, derived = {"slug"}, {"unfilled"}
    assert launched_with - unchanging - derived <= tool_actions.RELAUNCHING
    assert "generation" in MCPTool.FEED_COLUMNS
