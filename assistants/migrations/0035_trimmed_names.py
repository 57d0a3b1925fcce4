from django.db import migrations

from core.names import trimmed


class Migration(migrations.Migration):
    dependencies = [("assistants", "0034_parameters_of_64_bits")]
    operations = [
        migrations.RunSQL(trimmed(f"assistants_{table}"), migrations.RunSQL.noop)
        for table in ("assistant", "provider", "rule", "webhook")
    ]
