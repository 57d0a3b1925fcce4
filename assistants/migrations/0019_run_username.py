from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("assistants", "0018_console_indexes")]
    operations = [
        migrations.AddField(
            "run", "username", models.CharField(blank=True, db_default="", default="", max_length=150)
        ),
    ]
