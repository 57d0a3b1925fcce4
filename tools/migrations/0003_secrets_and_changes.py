import json

from django.db import migrations, models

import tools.secrets.encryption
from tools.secrets.encryption import decrypt, encrypt


def encrypt_args_and_urls(apps, schema_editor):
    _rewrite(schema_editor, lambda args, url: (encrypt(json.loads(args)), encrypt(url)))


def decrypt_args_and_urls(apps, schema_editor):
    _rewrite(schema_editor, lambda args, url: (json.dumps(decrypt(args)), decrypt(url)))


def _rewrite(schema_editor, convert):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT id, args, url FROM tools_mcptool")
        for server_id, args, url in cursor.fetchall():
            values = [*convert(args, url), server_id]
            cursor.execute("UPDATE tools_mcptool SET args = %s, url = %s WHERE id = %s", values)


class Migration(migrations.Migration):
    dependencies = [("tools", "0002_feed")]
    operations = [
        migrations.AlterField("mcptool", "args", models.TextField(default="[]")),
        migrations.AlterField("mcptool", "url", models.TextField(blank=True)),
        migrations.RunPython(encrypt_args_and_urls, decrypt_args_and_urls),
        migrations.AlterField(
            "mcptool", "args", tools.secrets.encryption.EncryptedArgumentsField(blank=True, default=list)
        ),
        migrations.AlterField("mcptool", "url", tools.secrets.encryption.EncryptedURLField(blank=True, default=str)),
        migrations.AddField("toolfunction", "replaced", models.JSONField(editable=False, null=True)),
        migrations.AddField("toolfunction", "replaced_at", models.DateTimeField(editable=False, null=True)),
        migrations.AddField("toolfunction", "version", models.PositiveIntegerField(default=1, editable=False)),
    ]
