from django.db import migrations

from core.feed import notify_on_change

SERVER_COLUMNS = [
    "name", "slug", "is_enabled", "replicas", "generation", "restart_requested_at", "deleted_at", "approval",
    "call_timeout_s",
]
FUNCTION_COLUMNS = [
    "server_id", "name", "public_name", "title", "description", "input_schema", "output_schema", "annotations",
    "overrides", "definition_hash", "approved_hash", "is_enabled", "removed_at",
]


class Migration(migrations.Migration):
    dependencies = [("tools", "0006_feed_call_timeout")]
    operations = [
        # The triggers fire for rows that have changed. Those before fired for statements that found none.
        migrations.RunSQL(notify_on_change("tools_mcptool", columns=SERVER_COLUMNS), migrations.RunSQL.noop),
        migrations.RunSQL(notify_on_change("tools_toolfunction", columns=FUNCTION_COLUMNS), migrations.RunSQL.noop),
        migrations.RunSQL(notify_on_change("tools_offer"), migrations.RunSQL.noop),
    ]
