"""Changed states of approvals notify, those who ask are counted by an index, and groups get their rights."""

from django.apps import apps as present
from django.contrib.auth.management import create_permissions
from django.db import migrations, models

from core.feed import notify_on_change

GRANTED = {
    "viewer": ["view_approval"],
    "auditor": ["view_approval", "view_heldanswer"],
    "operator": ["view_approval", "decide_approval"],
    "manager": [
        "view_approval", "add_approval", "change_approval", "delete_approval", "decide_approval",
        "view_heldanswer", "add_heldanswer", "change_heldanswer", "delete_heldanswer",
    ],
}  # fmt: skip


def grant(apps, schema_editor):
    using = schema_editor.connection.alias
    create_permissions(present.get_app_config("assistants"), verbosity=0, using=using)  # Django: after all migrations
    permissions = apps.get_model("auth", "Permission").objects.using(using)
    for group in apps.get_model("auth", "Group").objects.using(using).filter(name__in=GRANTED):
        granted = permissions.filter(content_type__app_label="assistants", codename__in=GRANTED[group.name])
        group.permissions.add(*granted)


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("assistants", "0025_webhooks"),
    ]
    operations = [
        migrations.AddField(
            model_name="approval",
            name="touched",
            field=models.JSONField(default=list),
        ),
        migrations.AddIndex(
            model_name="approval",
            index=models.Index(
                condition=models.Q(("state", "waiting")), fields=["owner"], name="approval_owner_waiting"
            ),
        ),
        migrations.AddIndex(
            model_name="approval",
            index=models.Index(fields=["run_id"], name="approval_run"),
        ),
        migrations.RunSQL(
            notify_on_change("assistants_approval", columns=["state"]), migrations.RunSQL.noop
        ),
        migrations.RunPython(grant, migrations.RunPython.noop),
    ]
