"""A rule against data that leaves by injected orders. It is off: staff switch it on once labels are set."""

from django.db import migrations

NAME = "Ask before private data can leave with foreign words"


def ship(apps, schema_editor):
    rules = apps.get_model("assistants", "Rule").objects.using(schema_editor.connection.alias)
    if rules.filter(name__iexact=NAME).exists():
        return
    rules.create(
        name=NAME,
        position=1_000_000,  # the last one: those that staff add stand before it
        scope="global",
        conditions={
            "expression": "'foreign_text' in touched && 'reads_private' in touched && 'sends_out' in call.labels"
        },
        effect="ask",
        approver="staff",
        reason="The conversation has read private data and foreign text, and this call can send data out.",
        is_enabled=False,
    )


class Migration(migrations.Migration):
    dependencies = [("assistants", "0027_masks_secrets")]
    operations = [migrations.RunPython(ship, migrations.RunPython.noop)]
