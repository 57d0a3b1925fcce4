"""DRF's viewset without its threads: authenticated from memory, answered in the event loop."""

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import markcoroutinefunction
from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import classonlymethod
from rest_framework.viewsets import ViewSet

from apikeys.authentication import Principal, authenticate
from apikeys.errors import CallingRequired
from assistants.openai_api import errors

Handler = Callable[..., Awaitable[HttpResponseBase]]


class OpenAIViewSet(ViewSet):
    """Its actions are coroutines that take Django's request. What they raise is answered in the envelope."""

    principal: Principal

    @classonlymethod
    def as_view(cls, *args: Any, **kwargs: Any) -> Any:  # noqa: N805 - a class method
        return markcoroutinefunction(super().as_view(*args, **kwargs))

    async def dispatch(  # type: ignore[override]
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        try:
            action = self._action(request)
            self.principal = await authenticate(request.META.get("HTTP_AUTHORIZATION"))
            if not self.principal.can_call_assistant:
                raise CallingRequired
            return await action(request, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 - the door's boundary: everything is rendered, and logged there
            return errors.response(error)

    def _action(self, request: HttpRequest) -> Handler:
        name = self.action_map.get((request.method or "").lower())
        if name is None:
            raise errors.MethodNotAllowed(", ".join(method.upper() for method in self.action_map))
        action: Handler = getattr(self, name)
        return action
