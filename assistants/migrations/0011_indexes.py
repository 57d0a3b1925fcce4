import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("assistants", "0010_feed_rows")]
    operations = [
        migrations.AddIndex(model_name="attempt", index=models.Index(fields=["owner"], name="attempt_owner")),
        migrations.AddIndex(
            model_name="conversation",
            index=models.Index(
                condition=models.Q(("messages_expire_at__isnull", False)),
                fields=["messages_expire_at"],
                name="conversation_expiring",
            ),
        ),
        # The database enforces it as before: it is Django that refuses to delete a provider in use.
        migrations.AlterField(
            model_name="assistant",
            name="fallback_provider",
            field=models.ForeignKey(
                blank=True,
                help_text="Asked where the provider fails before it answers.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="fallback_of",
                to="assistants.provider",
            ),
        ),
    ]
