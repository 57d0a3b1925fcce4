from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("assistants", "0005_responses")]
    operations = [
        migrations.AddConstraint(
            model_name="toolcall",
            constraint=models.UniqueConstraint(fields=("run", "position"), name="toolcall_run_position"),
        ),
    ]
