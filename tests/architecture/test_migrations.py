"""Migrations run while the product serves, and while processes of the last release go on."""

from typing import Any

import pytest
from django.db import migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState
from django.db.models.functions import Now

from core.concurrent_index import AddIndexConcurrently
from tests.architecture.migration_locks import faults

LAST_BEFORE_RELEASES = {"apikeys": 8, "assistants": 32, "connector": 6, "tools": 14}
"""What was made before there was any installation to upgrade: nobody had to wait for it."""
ACCEPTED: dict[str, str] = {}
"""Faults that are accepted nevertheless, by their text, and why."""


@pytest.fixture(scope="module")
def found() -> dict[tuple[str, int], list[str]]:
    """What is wrong with each migration, by app and number."""
    loader = MigrationLoader(None)
    wrong = {}
    for app, name in loader.graph.nodes:
        if app in LAST_BEFORE_RELEASES:
            before = loader.project_state((app, name), at_end=False)
            wrong[app, int(name[:4])] = list(faults(loader.graph.nodes[app, name], before))
    return wrong


def test_no_migration_makes_anybody_wait(found: dict[tuple[str, int], list[str]]) -> None:
    later = [
        fault
        for (app, number), texts in sorted(found.items())
        for fault in texts
        if number > LAST_BEFORE_RELEASES[app] and fault not in ACCEPTED
    ]
    assert not later, "\n".join(later)


def test_those_before_the_first_release_are_known(found: dict[tuple[str, int], list[str]]) -> None:
    early = [fault for texts in found.values() for fault in texts]
    assert any("0018_console_indexes, Create index run_key_latest" in fault for fault in early)


@pytest.fixture(scope="module")
def state() -> ProjectState:
    return MigrationLoader(None).project_state(("assistants", "0033_bodies"))


def check(state: ProjectState, *operations: Any, atomic: bool = True, app: str = "assistants") -> str:
    migration = migrations.Migration("0099_new", app)
    migration.operations, migration.atomic = list(operations), atomic
    return "\n".join(faults(migration, state.clone()))


def nothing(apps: Any, schema_editor: Any) -> None:
    pass


INDEX = models.Index(fields=["error"], name="run_error")
KEY: Any = models.ForeignKey("apikeys.ApiKey", models.CASCADE, null=True, related_name="+")
BAD: dict[str, Any] = {
    "locks out writers": migrations.AddIndex("run", INDEX),
    "AddConstraintNotValid": migrations.AddConstraint(
        "run", models.CheckConstraint(condition=models.Q(rounds__gte=0), name="c")
    ),
    "USING INDEX": migrations.AddConstraint("run", models.UniqueConstraint(fields=["error"], name="u")),
    "cannot insert": migrations.AddField("provider", "new", models.IntegerField(default=1)),
    "is computed": migrations.AddField("run", "new", models.DateTimeField(db_default=Now())),
    "db_index=False": migrations.AddField("run", "new", models.IntegerField(null=True, db_index=True)),
    "db_constraint=False": migrations.AddField("run", "new", KEY),
    "another type": migrations.AlterField("run", "rounds", models.TextField()),
    "shorter": migrations.AlterField("run", "error", models.CharField(max_length=3)),
    "still write NULL": migrations.AlterField("run", "first_token_ms", models.PositiveIntegerField()),
    "still uses": migrations.RemoveField("run", "error"),
    "still uses it": migrations.RenameField("run", "error", "failure"),
    "by RunSQL in the next": migrations.DeleteModel("runcancellation"),
    "in batches": migrations.RunPython(nothing),
    "batches, by RunPython": migrations.RunSQL("UPDATE assistants_run SET error = ''"),
    "AddIndexConcurrently": migrations.RunSQL("CREATE INDEX x ON assistants_run (error)"),
    "locks everybody out": migrations.RunSQL("LOCK TABLE assistants_provider"),
    "Alter field rounds": migrations.SeparateDatabaseAndState(
        [migrations.AlterField("run", "rounds", models.TextField())]
    ),
}


@pytest.mark.parametrize("told", BAD)
def test_what_makes_others_wait_or_fail_is_told(state: ProjectState, told: str) -> None:
    assert (told if told != "shorter" else "another type") in check(state, BAD[told])


GOOD: list[Any] = [
    migrations.AddIndex("provider", models.Index(fields=["name"], name="p")),
    migrations.AddField("run", "new", models.IntegerField(null=True)),
    migrations.AddField("run", "new", models.IntegerField(default=1, db_default=1)),
    migrations.AlterField("run", "error", models.CharField(max_length=128, blank=True)),
    migrations.AlterField("run", "error", models.TextField()),
    migrations.AlterField("run", "rounds", models.PositiveIntegerField("turns", default=0)),
    migrations.RunSQL("DROP TRIGGER x ON assistants_run"),
    migrations.SeparateDatabaseAndState([], [migrations.RemoveField("run", "error")]),
]


@pytest.mark.parametrize("operation", GOOD)
def test_what_is_over_in_a_moment_is_not(state: ProjectState, operation: Any) -> None:
    assert not check(state, operation)


def test_what_waits_for_nobody_is_not(state: ProjectState) -> None:
    in_batches = migrations.RunPython(nothing, atomic=False)
    assert not check(state, AddIndexConcurrently("run", INDEX), in_batches, atomic=False)


def test_a_table_of_its_own_holds_no_rows_yet(state: ProjectState) -> None:
    made = migrations.CreateModel("New", [("id", models.BigAutoField(primary_key=True))])
    assert not check(state, made, migrations.AddField("new", "key", models.IntegerField()))
