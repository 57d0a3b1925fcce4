from django.apps import AppConfig


class ConfigConfig(AppConfig):
    name = "config"
    verbose_name = "Config"

    def ready(self) -> None:
        # `shared_task` finds the Celery application by this import, drf-spectacular its extensions.
        from config import celery, schema  # noqa: F401
