from django.db import migrations

from core.feed import notify_on_change

SERVER_COLUMNS = [
    "name", "slug", "is_enabled", "replicas", "generation", "restart_requested_at", "deleted_at", "approval",
]


class Migration(migrations.Migration):
    dependencies = [("tools", "0001_initial"), ("apikeys", "0002_feed")]
    operations = [
        migrations.RunSQL(
            notify_on_change("tools_mcptool", columns=SERVER_COLUMNS),
            "DROP TRIGGER mcp_connector_notify ON tools_mcptool",
        ),
        migrations.RunSQL(
            notify_on_change("tools_toolfunction"),
            "DROP TRIGGER mcp_connector_notify ON tools_toolfunction",
        ),
    ]
