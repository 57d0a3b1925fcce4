from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps
from django.db.models.signals import post_migrate, pre_migrate

from core import database


class ConfigConfig(AppConfig):
    name = "config"
    verbose_name = "Config"

    def ready(self) -> None:
        # `shared_task` finds the Celery application by this import, drf-spectacular its extensions.
        from config import celery, schema  # noqa: F401

        # A migration may rewrite a table or build an index, however long that takes.
        pre_migrate.connect(database.lift_statement_limit)
        post_migrate.connect(database.restore_statement_limit)


class ConsoleConfig(admin_apps.SimpleAdminConfig):
    """Django's admin app, with the console's site as its default. Only `config.urls` loads its pages."""

    default = False  # of this module: ConfigConfig is
    default_site = "config.admin_site.ConsoleSite"
