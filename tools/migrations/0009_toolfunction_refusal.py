from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tools", "0008_console_permissions")]
    operations = [
        migrations.AddField(
            model_name="toolfunction",
            name="refusal",
            field=models.JSONField(editable=False, null=True),
        ),
    ]
