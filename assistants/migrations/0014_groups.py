"""The groups of the console: viewer, auditor, operator, manager. Nothing that a group was given by hand is taken away."""

from django.apps import apps as present
from django.contrib.auth.management import create_permissions
from django.db import migrations

APPS = ("tools", "connector", "assistants", "apikeys")
NO_BODIES = ("view_conversation", "view_hiddenrounds", "view_storedresponse", "view_run_bodies")
"""Permissions to read what callers and models wrote."""


def _ours(permissions):
    return permissions.filter(content_type__app_label__in=APPS)


def create_groups(apps, schema_editor):
    for name in ("auth", *APPS):  # Django makes permissions only after all migrations
        create_permissions(present.get_app_config(name), verbosity=0, using=schema_editor.connection.alias)
    permissions = apps.get_model("auth", "Permission").objects.using(schema_editor.connection.alias)
    ours = _ours(permissions)
    reads = ours.filter(codename__startswith="view_").exclude(codename__in=(*NO_BODIES, "view_auditentry"))
    works = ours.filter(codename__in=("operate_mcptool", "call_toolfunction", "chat_assistant"))
    people = permissions.filter(content_type__app_label="auth", content_type__model__in=("user", "group"))
    groups = {
        "viewer": [reads],
        "auditor": [ours.filter(codename__startswith="view_"), people.filter(codename__startswith="view_")],
        "operator": [reads, works],
        "manager": [ours, people],
    }
    for name, granted in groups.items():
        group, _ = apps.get_model("auth", "Group").objects.using(schema_editor.connection.alias).get_or_create(name=name)
        for some in granted:
            group.permissions.add(*some)


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("assistants", "0013_console_permissions"),
        ("tools", "0008_console_permissions"),
        ("connector", "0004_oauth_grants"),
        ("apikeys", "0004_feed_rows"),
    ]
    operations = [migrations.RunPython(create_groups, migrations.RunPython.noop)]
