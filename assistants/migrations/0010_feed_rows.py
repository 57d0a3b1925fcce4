from django.db import migrations

from core.feed import notify_on_change

TABLES = [
    "assistants_alias",
    "assistants_assistant",
    "assistants_assistant_api_keys",
    "assistants_assistanttool",
    "assistants_provider",
    "assistants_runcancellation",
]


class Migration(migrations.Migration):
    dependencies = [("assistants", "0009_learning")]
    operations = [
        # The triggers fire for rows that have changed. Those before fired for statements that found none,
        # which beat's tasks send twice a minute: all assistants were read anew each time.
        *(migrations.RunSQL(notify_on_change(table), migrations.RunSQL.noop) for table in TABLES),
        # Each run writes its session, but seldom another assistant's id, which `assistants.routing` remembers.
        migrations.RunSQL(
            notify_on_change("assistants_conversation", columns=["assistant_id"], on_insert=False),
            """
            DROP TRIGGER mcp_connector_notify ON assistants_conversation;
            DROP TRIGGER mcp_connector_notify_update ON assistants_conversation;
            DROP TRIGGER mcp_connector_notify_truncate ON assistants_conversation;
            """,
        ),
    ]
