from django.db import migrations

from core.names import trimmed


class Migration(migrations.Migration):
    dependencies = [("apikeys", "0008_told")]
    operations = [migrations.RunSQL(trimmed("apikeys_apikey"), migrations.RunSQL.noop)]
