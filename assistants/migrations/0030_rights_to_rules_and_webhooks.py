"""Groups get their rights to rules and webhooks: all see them, managers change them."""

from django.apps import apps as present
from django.contrib.auth.management import create_permissions
from django.db import migrations

SEEN = ("rule", "webhook", "delivery")
CHANGED = ("rule", "webhook")
GROUPS = ("viewer", "auditor", "operator", "manager")


def grant(apps, schema_editor):
    using = schema_editor.connection.alias
    create_permissions(present.get_app_config("assistants"), verbosity=0, using=using)  # Django: after all migrations
    permissions = apps.get_model("auth", "Permission").objects.using(using)
    ours = permissions.filter(content_type__app_label="assistants")
    seen = ours.filter(codename__in=[f"view_{name}" for name in SEEN])
    verbs = ("add", "change", "delete")
    changed = ours.filter(codename__in=[f"{verb}_{name}" for verb in verbs for name in CHANGED])
    for group in apps.get_model("auth", "Group").objects.using(using).filter(name__in=GROUPS):
        group.permissions.add(*seen, *(changed if group.name == "manager" else ()))


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("assistants", "0029_responses_await"),
    ]
    operations = [migrations.RunPython(grant, migrations.RunPython.noop)]
