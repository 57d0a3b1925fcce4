import django.db.models.deletion
import django.utils.timezone
import tools.secrets.encryption
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("apikeys", "0003_limits"),
        ("assistants", "0004_expiring"),
    ]

    operations = [
        migrations.CreateModel(
            name="StoredResponse",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("expires_at", models.DateTimeField(db_index=True)),
                ("response_id", models.CharField(max_length=64, unique=True)),
                ("previous_response_id", models.CharField(blank=True, max_length=64)),
                ("conversation", models.CharField(blank=True, max_length=255)),
                ("is_background", models.BooleanField(default=False)),
                ("status", models.CharField(choices=[("queued", "Queued"), ("in_progress", "In Progress"), ("completed", "Completed"), ("incomplete", "Incomplete"), ("failed", "Failed"), ("cancelled", "Cancelled")], max_length=16)),
                ("lease_until", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("input", tools.secrets.encryption.EncryptedJSONField()),
                ("body", tools.secrets.encryption.EncryptedJSONField()),
                ("request", tools.secrets.encryption.EncryptedJSONField(null=True)),
                ("api_key", models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="apikeys.apikey")),
            ],
            options={
                "indexes": [
                    models.Index(fields=["api_key", "conversation", "id"], name="response_key_conversation"),
                    models.Index(condition=models.Q(("status__in", ["queued", "in_progress"])), fields=["status"], name="response_unfinished"),
                ],
            },
        ),
        migrations.CreateModel(
            name="ResponseEvents",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("first_number", models.PositiveIntegerField()),
                ("events", tools.secrets.encryption.EncryptedJSONField()),
                ("response", models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="events", to="assistants.storedresponse")),
            ],
            options={
                "ordering": ["response_id", "first_number"],
                "constraints": [models.UniqueConstraint(fields=("response", "first_number"), name="responseevents_first_number")],
            },
        ),
    ]
