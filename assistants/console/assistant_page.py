"""The base class of the tabs of an assistant's page."""

from functools import cached_property
from typing import Any, ClassVar

from django.core.exceptions import PermissionDenied
from django.shortcuts import get_object_or_404

from assistants.admin.tabs import tabs_of
from assistants.models import Assistant
from core.admin.views import ConsolePage


class AssistantPage(ConsolePage):
    """A tab of the page of the assistant with the route's `pk`. Its template extends `page.html` there."""

    permission_required: Any = "assistants.view_assistant"
    tab: ClassVar[str]

    @cached_property
    def assistant(self) -> Assistant:
        rows = Assistant.objects.without_vectors().select_related("provider")
        return get_object_or_404(rows, pk=self.kwargs["pk"])

    @property
    def can_change(self) -> bool:
        return self.request.user.has_perm("assistants.change_assistant")

    def require_change(self) -> None:
        """Raises PermissionDenied for who may only read."""
        if not self.can_change:
            raise PermissionDenied

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        assistant = self.assistant
        shown = {
            "title": assistant.name,
            "assistant": assistant,
            "object": assistant,
            "tabs": tabs_of(assistant, self.request.user, self.tab),
            "can_change": self.can_change,
        }
        return super().get_context_data(**{**shown, **kwargs})
