from django.db import migrations

from core.feed import notify_on_change

COLUMNS = [
    "name", "key_hash", "previous_key_hash", "previous_key_until",
    "can_manage", "can_call_assistant", "is_disabled", "expires_at",
]


class Migration(migrations.Migration):
    dependencies = [("apikeys", "0001_initial")]
    operations = [
        migrations.RunSQL(
            notify_on_change("apikeys_apikey", columns=COLUMNS),
            "DROP TRIGGER mcp_connector_notify ON apikeys_apikey",
        )
    ]
