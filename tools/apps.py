from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ToolsConfig(AppConfig):
    name = "tools"
    verbose_name = _("MCP servers")

    def ready(self) -> None:
        from tools.outbound import egress

        for setting in (egress.OPERATORS, egress.CALLERS):
            egress.listed(setting)  # a mistake in the setting ends the start, not the first request
