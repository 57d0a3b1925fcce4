from django.db import migrations, models
from pgvector.django import VectorField


class Migration(migrations.Migration):
    dependencies = [("assistants", "0006_toolcall_run_position")]
    operations = [
        migrations.AddField("assistant", "next_embedding", VectorField(editable=False, null=True)),
        migrations.AddField(
            "assistant", "next_embedder", models.CharField(blank=True, editable=False, max_length=128)
        ),
        migrations.AddField(
            "assistant", "indexed_hash", models.CharField(blank=True, editable=False, max_length=64)
        ),
    ]
