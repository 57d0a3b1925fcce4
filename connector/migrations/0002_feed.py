from django.db import migrations

FORWARD = """
    CREATE FUNCTION mcp_connector_notify_instance() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_notify('mcp_connector', 'connector_instance'); RETURN NULL; END $$;

    CREATE TRIGGER mcp_connector_notify AFTER INSERT OR DELETE ON connector_instance
    FOR EACH ROW EXECUTE FUNCTION mcp_connector_notify_instance();

    CREATE TRIGGER mcp_connector_notify_moved AFTER UPDATE ON connector_instance FOR EACH ROW
    WHEN ((OLD.worker_id, OLD.fence, OLD.phase) IS DISTINCT FROM (NEW.worker_id, NEW.fence, NEW.phase))
    EXECUTE FUNCTION mcp_connector_notify_instance();
"""
BACKWARD = """
    DROP TRIGGER mcp_connector_notify ON connector_instance;
    DROP TRIGGER mcp_connector_notify_moved ON connector_instance;
    DROP FUNCTION mcp_connector_notify_instance();
"""


class Migration(migrations.Migration):
    dependencies = [("connector", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
