from django.apps import AppConfig


class ConfigConfig(AppConfig):
    name = "config"
    verbose_name = "Config"

    def ready(self) -> None:
        # By these imports task senders find the Celery application, and drf-spectacular its extensions.
        from config import celery, schema  # noqa: F401
