from django.db import migrations, models

from core.feed import notify_on_change

SERVER_COLUMNS = [
    "name", "slug", "is_enabled", "replicas", "generation", "restart_requested_at", "deleted_at", "approval",
    "call_timeout_s",
]
FUNCTION_COLUMNS = [
    "server_id", "name", "public_name", "title", "description", "input_schema", "output_schema", "annotations",
    "overrides", "definition_hash", "approved_hash", "is_enabled", "removed_at",
]


def feed(table, before, added):
    return migrations.RunSQL(
        notify_on_change(table, columns=[*before, *added]), notify_on_change(table, columns=before)
    )


class Migration(migrations.Migration):

    dependencies = [
        ('tools', '0011_names_of_all_models'),
    ]

    operations = [
        migrations.AddField(
            model_name='mcptool',
            name='announced',
            field=models.JSONField(default=dict, editable=False, verbose_name='announced'),
        ),
        migrations.AddField(
            model_name='mcptool',
            name='asked_back_at',
            field=models.DateTimeField(editable=False, null=True, verbose_name='asked back at'),
        ),
        migrations.AddField(
            model_name='mcptool',
            name='asks_back',
            field=models.BooleanField(default=False, help_text="It asks its client back while a tool runs: each MCP client gets a session of its own.", verbose_name='asks back'),
        ),
        migrations.AddField(
            model_name='toolfunction',
            name='extra',
            field=models.JSONField(default=dict, editable=False, verbose_name='other fields'),
        ),
        feed("tools_mcptool", SERVER_COLUMNS, ["announced", "asks_back", "asked_back_at"]),
        feed("tools_toolfunction", FUNCTION_COLUMNS, ["extra"]),
    ]
