from django.apps import AppConfig


class ToolsConfig(AppConfig):
    name = "tools"
    verbose_name = "MCP servers"

    def ready(self) -> None:
        from tools.outbound import egress

        egress.allowed_private_hosts()  # a mistake in the setting ends the start, not the first request
