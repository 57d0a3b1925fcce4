import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("assistants", "0007_search")]
    operations = [
        migrations.AddField("run", "selection", models.JSONField(null=True)),
        migrations.AlterField(
            "assistant",
            "selection",
            models.CharField(
                choices=[
                    ("all", "All of its tools"),
                    ("retrieved", "Those that fit the request"),
                    ("search", "A search over them, and a way to call what it finds"),
                ],
                default="all",
                help_text="What the model is given of its tools.",
                max_length=16,
            ),
        ),
        migrations.AlterField(
            "assistant",
            "schema_token_budget",
            models.PositiveIntegerField(
                blank=True,
                help_text="How many tokens the definitions of selected tools take at most. Empty: 4,000.",
                null=True,
                validators=[django.core.validators.MinValueValidator(1)],
            ),
        ),
    ]
