from django.db import migrations

BY_DAY = """
    CREATE STATISTICS assistants_run_day ON ((started_at AT TIME ZONE 'UTC')::date) FROM assistants_run;
"""
"""Tells the planner how few days runs have: it took each run for a day of its own, and sorted them all.

The expression is that of the group "day" in `assistants.models.runs`. ANALYZE, which autovacuum does, fills it.
"""


class Migration(migrations.Migration):
    dependencies = [("assistants", "0035_trimmed_names")]
    operations = [migrations.RunSQL(BY_DAY, "DROP STATISTICS assistants_run_day")]
