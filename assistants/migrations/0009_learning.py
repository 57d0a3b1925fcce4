from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("assistants", "0008_selection")]
    operations = [
        migrations.AddField(
            "assistant",
            "learns",
            models.BooleanField(
                default=True,
                help_text=(
                    "A selection prefers tools that served similar requests to this assistant."
                    " Off: it forgets them."
                ),
            ),
        ),
        migrations.AddField("run", "request", models.TextField(null=True)),
    ]
