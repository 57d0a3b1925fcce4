"""Pages of approvals are told, too, that staff must decide where the caller could."""

from django.db import migrations

from core.feed import notify_on_change


class Migration(migrations.Migration):
    dependencies = [("assistants", "0030_rights_to_rules_and_webhooks")]
    operations = [
        migrations.RunSQL(
            notify_on_change("assistants_approval", columns=["state", "approver"]), migrations.RunSQL.noop
        ),
    ]
