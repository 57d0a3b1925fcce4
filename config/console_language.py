"""The language of the console: the one that its reader chose, else the browser's. The APIs stay English."""

from django.http import HttpRequest
from django.middleware.locale import LocaleMiddleware
from django.utils import translation

TRANSLATED = ("/admin/", "/i18n/")


class ConsoleLanguage(LocaleMiddleware):
    """Programs compare and log what the APIs say, and the OpenAPI description is made once: in English."""

    def process_request(self, request: HttpRequest) -> None:
        if request.path_info.startswith(TRANSLATED):
            super().process_request(request)
        else:
            translation.deactivate()
