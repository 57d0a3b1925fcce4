from django.db import migrations

from core.feed import notify_on_change

TABLES = [
    "assistants_assistant",
    "assistants_assistant_api_keys",
    "assistants_assistanttool",
    "assistants_provider",
]


class Migration(migrations.Migration):
    dependencies = [("assistants", "0001_initial"), ("tools", "0002_feed")]
    operations = [
        migrations.RunSQL(notify_on_change(table), f"DROP TRIGGER mcp_connector_notify ON {table}")
        for table in TABLES
    ]
