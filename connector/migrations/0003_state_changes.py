import django.db.models.deletion
from django.db import migrations, models

FORWARD = """
    CREATE FUNCTION mcp_connector_note_status() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN
        INSERT INTO connector_statechange (server_id, status, error, at)
        VALUES (NEW.id, NEW.status, NEW.error, clock_timestamp());
        RETURN NULL;
    END $$;

    CREATE TRIGGER mcp_connector_note_first_status AFTER INSERT ON tools_mcptool
    FOR EACH ROW EXECUTE FUNCTION mcp_connector_note_status();

    CREATE TRIGGER mcp_connector_note_status AFTER UPDATE OF status ON tools_mcptool FOR EACH ROW
    WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION mcp_connector_note_status();

    INSERT INTO connector_statechange (server_id, status, error, at)
    SELECT id, status, error, clock_timestamp() FROM tools_mcptool;
"""
BACKWARD = """
    DROP TRIGGER mcp_connector_note_status ON tools_mcptool;
    DROP TRIGGER mcp_connector_note_first_status ON tools_mcptool;
    DROP FUNCTION mcp_connector_note_status();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("tools", "0003_secrets_and_changes"),
        ("connector", "0002_feed"),
    ]

    operations = [
        migrations.CreateModel(
            name="StateChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("status", models.CharField(choices=[("stopped", "Stopped"), ("starting", "Starting"), ("running", "Running"), ("degraded", "Degraded"), ("error", "Error")], max_length=16)),
                ("error", models.JSONField(null=True)),
                ("at", models.DateTimeField()),
                ("server", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="state_changes", to="tools.mcptool")),
            ],
            options={
                "ordering": ["-at", "-id"],
                "indexes": [models.Index(fields=["server", "at"], name="statechange_server_at")],
            },
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
