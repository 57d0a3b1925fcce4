from django.db import migrations

from core.feed import notify_on_statement


class Migration(migrations.Migration):
    dependencies = [("tools", "0015_numbers_of_64_bits")]
    operations = [
        migrations.RunSQL(
            notify_on_statement("tools_wordcount"), "DROP TRIGGER mcp_connector_notify ON tools_wordcount"
        )
    ]
