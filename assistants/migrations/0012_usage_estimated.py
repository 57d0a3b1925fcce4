from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("assistants", "0011_indexes")]
    operations = [
        migrations.AddField("run", "usage_estimated", models.BooleanField(default=False, db_default=False)),
    ]
