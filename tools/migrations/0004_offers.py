import django.db.models.deletion
from django.db import migrations, models

from core.feed import notify_on_change


class Migration(migrations.Migration):
    dependencies = [("tools", "0003_secrets_and_changes")]
    operations = [
        migrations.CreateModel(
            name="Offer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[("resource", "Resource"), ("template", "Resource template"), ("prompt", "Prompt")],
                        max_length=8,
                    ),
                ),
                ("identity", models.TextField()),
                ("definition", models.JSONField(default=dict)),
                (
                    "server",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="offers", to="tools.mcptool"
                    ),
                ),
            ],
            options={
                "ordering": ["server_id", "kind", "identity"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("server", "kind", "identity"), name="offer_server_kind_identity"
                    )
                ],
            },
        ),
        migrations.RunSQL(
            notify_on_change("tools_offer"), "DROP TRIGGER mcp_connector_notify ON tools_offer"
        ),
    ]
