from typing import Any

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ConnectorConfig(AppConfig):
    name = "connector"
    verbose_name = _("Connector")

    def ready(self) -> None:
        from connector.status.actions import settle
        from tools.actions import intent_changes

        def on_intent(server: Any, **_: Any) -> None:
            settle(server)

        intent_changes.connect(on_intent, weak=False, dispatch_uid="connector.status")
