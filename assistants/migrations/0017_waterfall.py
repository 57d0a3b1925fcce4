import django.utils.timezone
from django.db import migrations, models

SINCE_THE_RUN = """
    UPDATE assistants_toolcall SET started_at = assistants_run.started_at
    FROM assistants_run WHERE assistants_run.id = assistants_toolcall.run_id
"""
"""Of calls before this migration nobody knows when they began: with their run, for sums by time. The page of a
run shows them in their order alone, since the run has no `model_rounds`."""


class Migration(migrations.Migration):
    dependencies = [("assistants", "0016_longer_session_ids")]
    operations = [
        migrations.AddField("run", "model_rounds", models.JSONField(null=True)),
        migrations.AddField("run", "unavailable", models.JSONField(null=True)),
        migrations.AddField("toolcall", "started_at", models.DateTimeField(null=True)),
        migrations.RunSQL(SINCE_THE_RUN, migrations.RunSQL.noop),
        migrations.AlterField(
            "toolcall", "started_at", models.DateTimeField(default=django.utils.timezone.now)
        ),
    ]
