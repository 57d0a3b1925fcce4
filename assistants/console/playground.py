"""The playground: a page on which staff chat with an assistant, and see each call of a tool as it happens."""

from typing import Any

from django.conf import settings
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext_lazy as _

from assistants.admin.tabs import tabs_of
from assistants.console.advice import LOGGED_OUT, LOST
from assistants.models import Assistant
from core.admin.views import ConsolePage

_MOST_LISTED = 500


class PlaygroundPage(ConsolePage):
    """A page of its own, or with the route's `pk` a tab of that assistant's page."""

    title = _("Playground")
    permission_required: Any = ("assistants.chat_assistant", "assistants.view_assistant")
    template_name = "console/playground.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        rows = Assistant.objects.filter(is_enabled=True).order_by("name").only("name", "slug")
        shown: dict[str, Any] = {
            "title": self.title,
            "assistants": rows[:_MOST_LISTED],
            "chosen": self.request.GET.get("assistant", ""),
            "texts": {"lost": str(LOST), "logged_out": str(LOGGED_OUT)},
            "silence_s": 3 * settings.STREAM_HEARTBEAT_S + 15,
        }
        if "pk" in self.kwargs:
            named = Assistant.objects.only("name", "slug", "is_enabled")
            assistant = get_object_or_404(named, pk=self.kwargs["pk"])
            shown |= {
                "title": assistant.name,
                "assistant": assistant,
                "object": assistant,
                "assistants": [assistant] if assistant.is_enabled else [],
                "chosen": assistant.slug,
                "tabs": tabs_of(assistant, self.request.user, "playground"),
            }
        return super().get_context_data(**{**shown, **kwargs})
