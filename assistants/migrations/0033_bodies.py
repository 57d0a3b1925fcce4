from django.db import migrations, models

from core.concurrent_index import AddIndexConcurrently

# Deletes of a day are far fewer than the fifth of a large table that autovacuum waits for otherwise.
TABLES = ("assistants_run", "assistants_toolcall", "assistants_storedresponse", "assistants_responseevents")
SET = "autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05"
RESET = "autovacuum_vacuum_scale_factor, autovacuum_vacuum_insert_scale_factor"


class Migration(migrations.Migration):
    atomic = False
    dependencies = [
        ("apikeys", "0008_told"),
        ("assistants", "0032_fences_and_approved_calls"),
        ("tools", "0014_validate_labels"),
    ]
    operations = [
        AddIndexConcurrently(
            model_name="run",
            index=models.Index(
                condition=models.Q(("answer", None), ("request", None), _negated=True),
                fields=["started_at"],
                name="run_bodies",
            ),
        ),
        AddIndexConcurrently(
            model_name="toolcall",
            index=models.Index(
                condition=models.Q(("arguments", None), ("result", None), _negated=True),
                fields=["started_at"],
                name="toolcall_bodies",
            ),
        ),
        *(
            migrations.RunSQL(f"ALTER TABLE {table} SET ({SET})", f"ALTER TABLE {table} RESET ({RESET})")
            for table in TABLES
        ),
    ]
