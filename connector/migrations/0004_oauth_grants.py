import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

import tools.secrets.encryption

no_nul = django.core.validators.ProhibitNullCharactersValidator()


class Migration(migrations.Migration):
    dependencies = [("connector", "0003_state_changes"), ("tools", "0004_offers")]
    operations = [
        migrations.CreateModel(
            name="OAuthGrant",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "flow",
                    models.CharField(
                        choices=[("login", "Login of a person"), ("client_credentials", "Client credentials")],
                        default="login",
                        max_length=24,
                    ),
                ),
                (
                    "client_id",
                    models.CharField(
                        blank=True,
                        help_text="Empty for a login: registered where the authorization server offers that.",
                        max_length=2048,
                        validators=[no_nul],
                    ),
                ),
                ("client_secret", tools.secrets.encryption.EncryptedJSONField(blank=True, default=str)),
                (
                    "scope",
                    models.CharField(
                        blank=True, help_text="Empty: as asked for.", max_length=1024, validators=[no_nul]
                    ),
                ),
                (
                    "issuer",
                    models.CharField(
                        blank=True,
                        help_text=(
                            "The authorization server that the client belongs to: nobody else is shown the secret."
                        ),
                        max_length=2048,
                        validators=[no_nul],
                    ),
                ),
                ("kept", tools.secrets.encryption.EncryptedJSONField(blank=True, default=dict, editable=False)),
                ("connected_at", models.DateTimeField(editable=False, null=True)),
                ("renewing_until", models.DateTimeField(editable=False, null=True)),
                (
                    "server",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="oauth_grant",
                        to="tools.mcptool",
                    ),
                ),
            ],
            options={"verbose_name": "OAuth grant", "ordering": ["server_id"]},
        ),
    ]
