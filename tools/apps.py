from django.apps import AppConfig


class ToolsConfig(AppConfig):
    name = "tools"
    verbose_name = "MCP servers"

    def ready(self) -> None:
        from tools.outbound import egress

        for setting in (egress.OPERATORS, egress.CALLERS):
            egress.listed(setting)  # a mistake in the setting ends the start, not the first request
