import django.db.models.deletion
from django.db import migrations, models

from core.feed import notify_on_change

COLUMNS = [
    "name", "key_hash", "previous_key_hash", "previous_key_until",
    "can_manage", "can_call_assistant", "is_disabled", "expires_at",
]
LIMITS = [
    "requests_per_minute", "tokens_per_minute", "concurrent_requests", "tokens_per_month", "allowed_networks",
]
DROP = "DROP TRIGGER mcp_connector_notify ON apikeys_apikey;"


class Migration(migrations.Migration):
    dependencies = [("apikeys", "0002_feed")]
    operations = [
        migrations.CreateModel(
            name="TokenUsage",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("month", models.DateField()),
                ("tokens", models.BigIntegerField()),
                (
                    "api_key",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="token_usage",
                        to="apikeys.apikey",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("api_key", "month"), name="tokenusage_key_month_unique")
                ]
            },
        ),
        migrations.RunSQL(
            DROP + notify_on_change("apikeys_apikey", columns=[*COLUMNS, *LIMITS]),
            DROP + notify_on_change("apikeys_apikey", columns=COLUMNS),
        ),
    ]
