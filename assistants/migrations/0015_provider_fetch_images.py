from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("assistants", "0014_groups")]
    operations = [
        migrations.AddField(
            "provider",
            "fetch_images",
            models.BooleanField(
                db_default=False,
                default=False,
                help_text="For services that take images as bytes alone. Else an OpenAI-compatible one gets "
                "their https addresses. For services of the other kinds they are always fetched.",
            ),
        ),
    ]
