from django.db import migrations

from core.feed import notify_on_change

BEFORE = [
    "name", "slug", "is_enabled", "replicas", "generation", "restart_requested_at", "deleted_at", "approval",
]


class Migration(migrations.Migration):
    dependencies = [("tools", "0005_search")]
    operations = [
        # Web processes have the time-out in memory: a change of it alone reached them at their next restart.
        migrations.RunSQL(
            notify_on_change("tools_mcptool", columns=[*BEFORE, "call_timeout_s"]),
            notify_on_change("tools_mcptool", columns=BEFORE),
        ),
    ]
