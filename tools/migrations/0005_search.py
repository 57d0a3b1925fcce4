import django.db.models.deletion
from django.db import migrations, models
from pgvector.django import VectorField

from core.feed import notify_on_change

FUNCTION_COLUMNS = [
    "server_id", "name", "public_name", "title", "description", "input_schema", "output_schema", "annotations",
    "overrides", "definition_hash", "approved_hash", "is_enabled", "removed_at",
]
DROP_TRIGGER = "DROP TRIGGER mcp_connector_notify ON tools_toolfunction"
# What a search reads of every row stays in the row, and in clear: to fetch or decompress it costs ten times what
# it costs to measure it. What it reads of a few gives way. A vector of more than 1,900 numbers cannot stay.
STORED_INLINE = """
    ALTER TABLE tools_toolfunction
        ALTER COLUMN embedding SET STORAGE MAIN,
        ALTER COLUMN words SET STORAGE PLAIN,
        ALTER COLUMN embedder SET STORAGE PLAIN,
        ALTER COLUMN next_embedder SET STORAGE PLAIN,
        ALTER COLUMN definition_hash SET STORAGE PLAIN,
        ALTER COLUMN approved_hash SET STORAGE PLAIN
"""
STORED_ANYWHERE = """
    ALTER TABLE tools_toolfunction
        ALTER COLUMN embedding SET STORAGE EXTERNAL,
        ALTER COLUMN words SET STORAGE EXTERNAL,
        ALTER COLUMN embedder SET STORAGE EXTENDED,
        ALTER COLUMN next_embedder SET STORAGE EXTENDED,
        ALTER COLUMN definition_hash SET STORAGE EXTENDED,
        ALTER COLUMN approved_hash SET STORAGE EXTENDED
"""


def embedded(model):
    return [
        migrations.AddField(model, "next_embedding", VectorField(editable=False, null=True)),
        migrations.AddField(model, "next_embedder", models.CharField(blank=True, editable=False, max_length=128)),
        migrations.AddField(model, "indexed_hash", models.CharField(blank=True, editable=False, max_length=64)),
    ]


class Migration(migrations.Migration):
    dependencies = [("tools", "0004_offers")]
    operations = [
        *embedded("mcptool"),
        *embedded("toolfunction"),
        migrations.AddField("toolfunction", "examples", models.JSONField(editable=False, null=True)),
        migrations.AddField(
            "mcptool",
            "is_enriched",
            models.BooleanField(
                default=False,
                help_text="Let the provider's model write example requests for its tools, to find them by.",
                verbose_name="enriched",
            ),
        ),
        migrations.CreateModel(
            name="WordCount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("word", models.IntegerField()),
                ("functions", models.PositiveIntegerField()),
                (
                    "server",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="word_counts",
                        to="tools.mcptool",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("word", "server"), include=("functions",), name="wordcount_word_server"
                    )
                ]
            },
        ),
        migrations.CreateModel(
            name="FunctionUse",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("used_by", models.BigIntegerField()),
                ("uses", models.PositiveIntegerField(default=0)),
                ("requests", VectorField(null=True)),
                ("embedder", models.CharField(blank=True, max_length=128)),
                (
                    "function",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="uses", to="tools.toolfunction"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=["used_by", "function", "embedder"], name="functionuse_unique")
                ]
            },
        ),
        migrations.CreateModel(
            name="EmbedderFailure",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("embedder", models.CharField(max_length=128, unique=True)),
                ("reason", models.TextField()),
                ("at", models.DateTimeField(auto_now=True)),
            ],
        ),
        migrations.RunSQL(STORED_INLINE, STORED_ANYWHERE),
        # Indexing changes nothing that anybody caches.
        migrations.RunSQL(DROP_TRIGGER, notify_on_change("tools_toolfunction")),
        migrations.RunSQL(notify_on_change("tools_toolfunction", columns=FUNCTION_COLUMNS), DROP_TRIGGER),
    ]
