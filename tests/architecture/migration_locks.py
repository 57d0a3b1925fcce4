"""Finds what a migration may not do while the product serves, and while its last release still runs."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from django.db import connection, models
from django.db.migrations import operations as ops
from django.db.migrations.migration import Migration
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

LARGE = {
    "apikeys": {"auditentry", "outboxevent", "tokenusage"},
    "assistants": {
        "approval", "attempt", "conversation", "delivery", "heldanswer", "hiddenrounds", "responseevents",
        "run", "storedresponse", "toolcall",
    },
    "connector": {"statechange"},
    "tools": {"toolfunction"},
}  # fmt: skip
"""The models whose tables grow with use: nobody may wait while one of them is read or written as a whole."""
CONCURRENTLY = "core.concurrent_index.AddIndexConcurrently, in a migration with atomic = False"
TWO_RELEASES = "stop using it in one release (SeparateDatabaseAndState), and drop it by RunSQL in the next"
_WIDER = re.compile(r"(?:varchar\((\d+)\)|text)$")


def faults(migration: Migration, before: ProjectState) -> Iterator[str]:
    """Yields what is wrong with a migration, and what to do instead. Changes `before` to what is after it."""
    made: set[str] = set()
    for operation in migration.operations:
        if isinstance(operation, ops.CreateModel):
            made.add(operation.name_lower)
        at = before.clone()
        for part in _database_parts(operation):
            after = at.clone()
            part.state_forwards(migration.app_label, after)
            if (model := getattr(part, "model_name", "").lower()) not in made:
                is_large = model in LARGE.get(migration.app_label, ())
                yield from _of(part, migration, at, after, is_large=is_large)
            at = after
        operation.state_forwards(migration.app_label, before)


def _database_parts(operation: Operation) -> list[Operation]:
    if isinstance(operation, ops.SeparateDatabaseAndState):
        return list(operation.database_operations)
    return [operation]


def _of(part: Any, migration: Migration, before: Any, after: Any, *, is_large: bool) -> Iterator[str]:
    for kind, check in _CHECKS.items():
        if type(part) is kind:
            for why in check(part, migration, before, after, is_large):
                yield f"{migration.app_label}.{migration.name}, {part.describe()}: {why}"


def _add_index(part: Any, migration: Migration, before: Any, after: Any, is_large: bool) -> Iterator[str]:
    if is_large:
        yield f"it locks out writers. Use {CONCURRENTLY}."


def _add_constraint(
    part: Any, migration: Migration, before: Any, after: Any, is_large: bool
) -> Iterator[str]:
    if not is_large:
        return
    if isinstance(part.constraint, models.CheckConstraint):
        yield "it reads the table. Use AddConstraintNotValid, and ValidateConstraint in a later migration."
    else:
        yield (
            "it locks out writers. Make a unique index concurrently by RunSQL, then ADD CONSTRAINT ... USING "
            "INDEX, with SeparateDatabaseAndState."
        )


def _add_field(part: Any, migration: Migration, before: Any, after: Any, is_large: bool) -> Iterator[str]:
    field = part.field
    if field.many_to_many:
        return
    if not field.null and field.db_default is models.NOT_PROVIDED:
        yield "the last release cannot insert rows without it. Give it null=True or a db_default."
    if is_large and not isinstance(field.db_default, str | int | float | bool | list | dict | type):
        yield "a default that is computed rewrites the table. Add it with null=True, and fill it in batches."
    yield from _index_of(field, is_large=is_large)


def _index_of(field: Any, *, is_large: bool) -> Iterator[str]:
    if is_large and (field.unique or field.db_index):
        yield f"its index locks out writers. Use db_index=False or unique=False, and {CONCURRENTLY}."
    if is_large and field.remote_field and field.db_constraint:
        yield "its foreign key is checked for each row. Use db_constraint=False."


def _alter_field(part: Any, migration: Migration, before: Any, after: Any, is_large: bool) -> Iterator[str]:
    old, new = (
        state.apps.get_model(migration.app_label, part.model_name)._meta.get_field(part.name)
        for state in (before, after)
    )
    if old.many_to_many or new.many_to_many:
        return
    if not _is_wider(old.db_type(connection), new.db_type(connection)):
        yield "another type rewrites the table, and the last release may not read it. Add another field."
    if old.null and not new.null:
        yield "the last release may still write NULL; and NOT NULL reads the table. Add a check NOT VALID."
    if is_large and (new.unique, new.db_index) > (old.unique, old.db_index):
        yield from _index_of(new, is_large=True)


def _is_wider(old: str, new: str) -> bool:
    if old == new:
        return True
    one, other = _WIDER.match(old), _WIDER.match(new)
    return bool(one and other and (other[1] is None or (one[1] is not None and int(one[1]) <= int(other[1]))))


def _gone(part: Any, migration: Migration, before: Any, after: Any, is_large: bool) -> Iterator[str]:
    yield f"the last release still uses it. First {TWO_RELEASES}."


def _run_python(part: Any, migration: Migration, before: Any, after: Any, is_large: bool) -> Iterator[str]:
    if migration.atomic or part.atomic:
        yield "it keeps every row that it writes locked to its end. Write in batches, with atomic = False."


def _run_sql(part: Any, migration: Migration, before: Any, after: Any, is_large: bool) -> Iterator[str]:
    tables = "|".join(f"{app}_{model}" for app, names in LARGE.items() for model in names)
    text = " ".join(str(part.sql).split())
    for pattern, why in (
        (
            rf"create (unique )?index (?!concurrently).* on \"?({tables})\b",
            f"locks out writers. {CONCURRENTLY}.",
        ),
        (rf"update \"?({tables})\b", "locks rows to its end. Write in batches, by RunPython."),
        (rf"alter table \"?({tables})\b.* type ", "rewrites the table. Add another column."),
        (rf"alter table \"?({tables})\b.* set not null", "reads the table. Add a check NOT VALID."),
        (r"\block table\b|\bvacuum full\b|\bcluster\b", "locks everybody out."),
    ):
        if re.search(pattern, text, re.IGNORECASE):
            yield f"it {why}"


_CHECKS: dict[type, Callable[[Any, Migration, Any, Any, bool], Iterator[str]]] = {
    ops.AddIndex: _add_index,
    ops.AddConstraint: _add_constraint,
    ops.AddField: _add_field,
    ops.AlterField: _alter_field,
    ops.RemoveField: _gone,
    ops.RenameField: _gone,
    ops.DeleteModel: _gone,
    ops.RenameModel: _gone,
    ops.AlterModelTable: _gone,
    ops.RunPython: _run_python,
    ops.RunSQL: _run_sql,
}
