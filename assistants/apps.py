from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AssistantsConfig(AppConfig):
    name = "assistants"
    verbose_name = _("Assistants")

    def ready(self) -> None:
        from connector.client import direct_calls

        direct_calls.guarded_by("assistants.tool_calls.direct")
