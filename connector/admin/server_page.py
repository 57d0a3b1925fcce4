"""The base class of a server's pages that need to know how it runs."""

from hashlib import sha256
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.utils.cache import get_conditional_response

from core.admin.views import ConsolePage
from tools.admin.server_changes import HEADER, address
from tools.models import MCPTool


class ServerPage(ConsolePage):
    """A page with the tabs of the server `pk`. `tab` names its own.

    `fragment`: the template of the part that moves; console.js asks for it with `?live`, and gets 304 if
    nothing has changed.
    """

    tab = ""
    fragment = ""

    @property
    def server(self) -> MCPTool:
        if not hasattr(self, "_server"):
            known = MCPTool.objects.present().without_vectors().defer("args", "env", "url", "headers")
            self._server = get_object_or_404(known, pk=self.kwargs["pk"])
        return self._server

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:  # type: ignore[override]
        if not self.fragment or "live" not in request.GET:
            return super().get(request, *args, **kwargs)
        content = render_to_string(self.fragment, self.live_context(), request)
        etag = f'"{sha256(content.encode()).hexdigest()}"'
        answer = HttpResponse(content, headers={"ETag": etag, "Cache-Control": "no-cache"})
        response = get_conditional_response(request, etag=etag, response=answer) or answer
        response.headers[HEADER] = address([self.server.pk], with_output=True)
        return response

    def live_context(self) -> dict[str, Any]:
        """Returns what the fragment shows."""
        return {}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        server = self.server
        of_page = {"server": server, "object": server, "title": server.name, "active": self.tab}
        return super().get_context_data(
            **{**of_page, "fragment": self.fragment, **self.live_context(), **kwargs}
        )
