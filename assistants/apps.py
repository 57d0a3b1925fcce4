from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AssistantsConfig(AppConfig):
    name = "assistants"
    verbose_name = _("Assistants")

    def ready(self) -> None:
        from assistants.actions.direct_calls import judged
        from connector.client import direct_calls

        direct_calls.judged_by(judged)
