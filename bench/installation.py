"""Rows of an installation that has been used for months, written within a minute.

Large tables are written by COPY: the rows are there to be looked at, and to measure pages with. The first of
each kind has much more than the others: a server 200 tools, an assistant 40 servers, a key every assistant
and every tenth run, a run 30 calls.
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from apikeys import keys
from apikeys.models import ApiKey, AuditEntry, TokenUsage
from assistants.models import Assistant, AssistantTool, Provider, Run, ToolCall
from connector.models import Instance, OAuthGrant, StateChange
from tools.models import MCPTool, ToolFunction

WORDS = ("weather", "tickets", "invoices", "calendar", "mail", "metrics", "deploys", "wiki", "maps", "orders")
VERBS = ("find", "list", "read", "create", "update", "close", "search", "export")
STATUSES = ("running",) * 44 + ("stopped",) * 3 + ("error",) * 2 + ("degraded",)
MODELS = ("gpt-large", "gpt-small", "local-llm")
BATCH = 10_000


@dataclass(frozen=True, slots=True)
class Size:
    servers: int = 500
    tools_a_server: int = 10
    keys: int = 1_000
    assistants: int = 50
    runs: int = 100_000
    calls_a_run: int = 3
    most_tools: int = 200
    days: int = 90
    first: int = 0
    """The number of the first server, key and assistant: names are unique."""

    def numbers(self, count: int) -> range:
        return range(self.first, self.first + count)


def fill(size: Size | None = None) -> None:
    """Adds the rows to what the database holds. The same size makes the same rows, but for their times."""
    filling = _Filling(size or Size(), timezone.now())
    filling.add_servers()
    filling.add_keys()
    filling.add_assistants()
    filling.add_runs()
    if not connection.in_atomic_block:  # a test's: PostgreSQL vacuums in no transaction
        _analyze()


class _Filling:
    def __init__(self, size: Size, now: datetime) -> None:
        self.size, self.now = size, now
        self.random = random.Random(7)  # noqa: S311 - no secret
        self.servers: list[Any] = []
        self.keys: list[Any] = []
        self.assistants: list[Any] = []

    def add_servers(self) -> None:
        self.servers = MCPTool.objects.bulk_create(
            self._server(number) for number in self.size.numbers(self.size.servers)
        )
        functions = [function for server in self.servers for function in self._functions(server)]
        ToolFunction.objects.bulk_create(functions, batch_size=BATCH)
        Instance.objects.bulk_create(self._instance(server) for server in self.servers)
        StateChange.objects.filter(server__in=self.servers).delete()  # the trigger's
        changes = [change for server in self.servers for change in self._changes(server)]
        StateChange.objects.bulk_create(changes, batch_size=BATCH)
        OAuthGrant.objects.create(server=self.servers[-1])

    def _server(self, number: int) -> Any:
        word, status = WORDS[number % len(WORDS)], self.random.choice(STATUSES)
        error = {
            "stage": "start",
            "class": self.random.choice(("crashed", "login_required", "missing_binary")),
            "message": "The server ended with exit code 1.",
            "remedy": "Read the last lines of its standard error.",
            "at": self.now.isoformat(),
        }
        return MCPTool(
            name=f"{word.capitalize()} {number}",
            slug=f"{word}-{number}",
            description=f"Everything about {word}.",
            connection_type="stdio",
            command="python",
            args=["-m", word],
            env={"API_TOKEN": f"token-{number}"},
            approval="pinned" if number % 5 == 0 else "auto",
            status=status,
            is_enabled=status != "stopped",
            error=error if status == "error" else None,
            last_healthy_at=self.now - timedelta(seconds=number),
        )

    def _functions(self, server: Any) -> Iterator[Any]:
        is_first = server is self.servers[0]
        for number in range(self.size.most_tools if is_first else self.size.tools_a_server):
            name = f"{VERBS[number % len(VERBS)]}_{server.slug.partition('-')[0]}_{number}"
            is_changed = server.approval == "pinned" and number == 0
            yield ToolFunction(
                server=server,
                name=name,
                public_name=f"{server.slug}__{name}"[:64],
                description=f"Use this to {VERBS[number % len(VERBS)]} things. " * 4,
                input_schema={"type": "object", "properties": {"query": {"type": "string"}}},
                definition_hash="b" * 64,
                approved_hash="a" * 64 if is_changed else "b" * 64,
                replaced={"description": "Before.", "title": "", "input_schema": {}} if is_changed else None,
                replaced_at=self.now - timedelta(hours=3) if is_changed else None,
            )

    def _instance(self, server: Any) -> Any:
        phases = {"running": "ready", "degraded": "degraded", "error": "backoff"}
        return Instance(
            server=server, phase=phases.get(server.status, "released"), stderr_tail="ready\n" * 50
        )

    def _changes(self, server: Any) -> Iterator[Any]:
        at = self.now - timedelta(days=self.size.days)
        while at < self.now:
            yield StateChange(server=server, status="running", at=at)
            at += timedelta(hours=self.random.randint(12, 400))
            if at < self.now:
                yield StateChange(server=server, status="error", at=at, error={"message": "It ended."})
            at += timedelta(minutes=self.random.randint(1, 90))
        yield StateChange(server=server, status=server.status, at=self.now)

    def add_keys(self) -> None:
        self.keys = ApiKey.objects.bulk_create(
            ApiKey(
                name=f"team {number}",
                key_hash=keys.hash_key(str(number)),
                key_prefix=f"ak-{number:06d}-...",
                expires_at=self.now + timedelta(days=3 + number % 9) if number % 100 == 0 else None,
                tokens_per_month=1_000_000 if number % 10 == 0 else None,
            )
            for number in self.size.numbers(self.size.keys)
        )
        month = self.now.date().replace(day=1)
        TokenUsage.objects.bulk_create(
            TokenUsage(api_key=key, month=month, tokens=self.random.randint(0, 1_050_000))
            for key in self.keys
        )
        AuditEntry.objects.bulk_create(self._audit_entry(key) for key in self.keys for _ in range(10))

    def _audit_entry(self, key: Any) -> Any:
        return AuditEntry(
            actor_kind="user", actor_id=1, actor_name="anna", action="updated", object_kind="api_key",
            object_id=key.pk, object_name=key.name, before={"version": 1}, after={"version": 2},
        )  # fmt: skip

    def add_assistants(self) -> None:
        provider = Provider.objects.create(name=f"Provider {self.size.first}", default_model=MODELS[0])
        self.assistants = Assistant.objects.bulk_create(
            Assistant(
                name=f"Assistant {number}",
                slug=f"assistant-{number}",
                model=MODELS[number % 3],
                provider=provider,
            )
            for number in self.size.numbers(self.size.assistants)
        )
        first, *others = self.assistants
        used = [(first, server) for server in self.servers[:40]]
        for assistant in others:
            chosen = self.random.sample(self.servers, min(10, len(self.servers)))
            used += [(assistant, server) for server in chosen]
        AssistantTool.objects.bulk_create(AssistantTool(assistant=each, mcp_tool=of) for each, of in used)
        granted = [(self.keys[0], assistant) for assistant in self.assistants]
        granted += [(key, self.random.choice(self.assistants)) for key in self.keys[1:]]
        grants = Assistant.api_keys.through
        grants.objects.bulk_create(
            grants(apikey_id=key.pk, assistant_id=assistant.pk) for key, assistant in granted
        )

    def add_runs(self) -> None:
        first = _first_free_id(Run)
        for start in range(0, self.size.runs, BATCH):
            runs = [self._run(first, number) for number in range(start, min(start + BATCH, self.size.runs))]
            _copy(Run, runs)
            _copy(ToolCall, (call for run in runs for call in self._calls(run)))
        _continue_ids(Run)

    def _run(self, first: int, number: int) -> Any:
        key = self.keys[0] if number % 10 == 0 else self.random.choice(self.keys)
        assistant = self.random.choice(self.assistants)
        is_failed = number % 23 == 0
        took = self.random.randint(400, 20_000)
        step = timedelta(days=self.size.days) / self.size.runs
        return Run(
            id=first + number,
            run_id=f"run_{first + number:032x}",
            request_id=f"req_{first + number:032x}",
            api_key_id=key.pk,
            api_key_name=key.name,
            key_prefix=key.key_prefix,
            assistant_id=assistant.pk,
            assistant_slug=assistant.slug,
            model=assistant.model,
            status="failed" if is_failed else "completed",
            error="upstream_error" if is_failed else "",
            rounds=2,
            prompt_tokens=self.random.randint(200, 9_000),
            completion_tokens=self.random.randint(20, 900),
            server_tool_calls=self._number_of_calls(number),
            started_at=self.now - step * (self.size.runs - number),
            first_token_ms=took // 3,
            duration_ms=took,
            model_rounds=[
                _round(0, took // 4),
                _round(took * 3 // 4, took // 4),
            ],
            unavailable=[],
        )

    def _number_of_calls(self, number: int) -> int:
        return 30 if number == 0 else self.size.calls_a_run

    def _calls(self, run: Any) -> Iterator[Any]:
        took = run.duration_ms // 2 // run.server_tool_calls
        for position in range(run.server_tool_calls):
            server = self.random.choice(self.servers)
            number = self.random.randrange(self.size.tools_a_server)
            is_failed = self.random.random() < (0.4 if number == 7 else 0.02)
            begun = timedelta(milliseconds=run.duration_ms // 4 + took * position)
            yield ToolCall(
                run_id=run.id,
                position=position,
                mcp_tool_id=server.pk,
                server=server.name,
                function=f"{VERBS[number % len(VERBS)]}_{server.slug.partition('-')[0]}_{number}",
                status="error" if is_failed else "ok",
                error="tool_error" if is_failed else "",
                started_at=run.started_at + begun,
                duration_ms=took * (number + 1) // self.size.tools_a_server,
                result_size=200,
            )


def _round(started_ms: int, duration_ms: int) -> dict[str, int]:
    tokens = {"prompt_tokens": 1_000, "completion_tokens": 100}
    return {"started_ms": started_ms, "duration_ms": duration_ms, **tokens}


def _copy(model: Any, rows: Iterable[Any]) -> None:
    """Writes rows by COPY. A row without an id is given the next one."""

    rows = list(rows)
    fields = [
        field for field in model._meta.concrete_fields if rows[0].pk is not None or not field.primary_key
    ]
    columns = ", ".join(f'"{field.column}"' for field in fields)
    with connection.cursor() as cursor:
        connection.ensure_connection()
        statement = f'COPY "{model._meta.db_table}" ({columns}) FROM STDIN'
        with cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(_values(row, fields, connection))


def _values(row: Any, fields: Sequence[Any], connection: Any) -> list[Any]:
    return [field.get_db_prep_save(getattr(row, field.attname), connection) for field in fields]


def _first_free_id(model: Any) -> int:
    latest = model.objects.order_by("-pk").values_list("pk", flat=True).first()
    return (latest or 0) + 1


def _continue_ids(model: Any) -> None:
    table = model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}")  # noqa: S608


def _analyze() -> None:
    """As autovacuum would in a while: an index alone answers only for pages that are known to be visible."""

    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
