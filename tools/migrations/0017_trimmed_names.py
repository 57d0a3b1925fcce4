from django.db import migrations

from core.names import trimmed


class Migration(migrations.Migration):
    dependencies = [("tools", "0016_word_counts_feed")]
    operations = [
        migrations.RunSQL(
            trimmed("tools_mcptool", among="own.deleted_at IS NULL"), migrations.RunSQL.noop
        )
    ]
