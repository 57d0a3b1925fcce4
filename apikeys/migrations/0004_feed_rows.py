from django.db import migrations

from core.feed import notify_on_change

COLUMNS = [
    "name", "key_hash", "previous_key_hash", "previous_key_until", "can_manage", "can_call_assistant",
    "is_disabled", "expires_at", "requests_per_minute", "tokens_per_minute", "concurrent_requests",
    "tokens_per_month", "allowed_networks",
]


class Migration(migrations.Migration):
    dependencies = [("apikeys", "0003_limits")]
    operations = [
        # The triggers fire for rows that have changed. Those before fired for statements that found none.
        migrations.RunSQL(notify_on_change("apikeys_apikey", columns=COLUMNS), migrations.RunSQL.noop),
    ]
