"""DRF's viewset without its threads: authenticated from memory, answered in the event loop."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext
from typing import Any, ClassVar

from asgiref.sync import markcoroutinefunction
from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import classonlymethod
from rest_framework.viewsets import ViewSet

from apikeys import limits
from apikeys.authentication import Principal, authenticate
from apikeys.errors import CallingRequired
from assistants.openai_api import errors

Handler = Callable[..., Awaitable[HttpResponseBase]]


class EndpointViewSet(ViewSet):
    """Its actions are coroutines that get Django's request; `failed` answers what they raise."""

    principal: Principal
    is_counted: ClassVar[bool] = True
    """Whether its requests count in the limits of keys."""

    @classonlymethod
    def as_view(cls, *args: Any, **kwargs: Any) -> Any:  # noqa: N805 - a class method
        return markcoroutinefunction(super().as_view(*args, **kwargs))

    async def dispatch(  # type: ignore[override]
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        self._forget_handlers()
        headers: Mapping[str, str] = {}
        try:
            action = self._action(request)
            self.principal = await _caller(request)
            counted = limits.current().admitted(self.principal) if self.is_counted else nullcontext(headers)
            async with counted as headers:
                response = await action(request, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 - the boundary of the API: rendered, and logged there
            response = self.failed(error)
        for name, value in headers.items():
            response.headers.setdefault(name, value)
        return response

    def failed(self, error: Exception) -> HttpResponseBase:
        raise NotImplementedError

    def _forget_handlers(self) -> None:
        """DRF keeps an action for each HTTP method on the view, bound to the view: a cycle of references.

        It would keep the request, with its body, until garbage is collected.
        """
        for method in self.action_map:
            vars(self).pop(method, None)

    def _action(self, request: HttpRequest) -> Handler:
        name = self.action_map.get((request.method or "").lower())
        if name is None:
            raise errors.MethodNotAllowed(", ".join(method.upper() for method in self.action_map))
        action: Handler = getattr(self, name)
        return action


class OpenAIViewSet(EndpointViewSet):
    """Exceptions are rendered in OpenAI's envelope."""

    def failed(self, error: Exception) -> HttpResponseBase:
        return errors.response(error)


async def _caller(request: HttpRequest) -> Principal:
    meta = request.META
    principal = await authenticate(meta.get("HTTP_AUTHORIZATION"), meta.get("REMOTE_ADDR", ""))
    if not principal.can_call_assistant:
        raise CallingRequired
    return principal
