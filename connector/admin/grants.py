"""The console's pages to connect remote servers by OAuth: the settings, and the login of a person."""

from typing import Any

from asgiref.sync import async_to_sync
from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST
from unfold.widgets import UnfoldAdminPasswordWidget

from connector import grants
from connector.client import logins
from connector.client.logins import LoginFailed
from connector.models import OAuthGrant
from core.actor import Actor
from core.admin.refusals import VerbForm
from core.admin.verbs import Fields, VerbAdmin
from core.message import told
from tools import actions
from tools.models import ConnectionType, MCPTool

PENDING = "mcp_logins"
"""Key in the session of the person who logs in: `{state: [id of the grant, worker that runs the flow]}`."""
MOST_PENDING = 8


class OAuthGrantForm(VerbForm[OAuthGrant]):
    """Never shows the stored secret. A secret that is left empty stays as it is."""

    client_secret = forms.CharField(
        label=gettext_lazy("Client secret"),
        required=False,
        strip=False,
        widget=UnfoldAdminPasswordWidget,
        help_text=gettext_lazy("Kept encrypted. Empty: as it is."),
    )

    class Meta:
        model = OAuthGrant
        fields = ["server", "flow", "client_id", "client_secret", "scope", "issuer"]

    def clean_client_secret(self) -> str:
        """An empty field means what is stored: the instance has it, masked."""
        return str(self.cleaned_data["client_secret"] or self.instance.client_secret)


@admin.register(OAuthGrant)
class OAuthGrantAdmin(VerbAdmin[OAuthGrant]):
    """Deleting a grant disconnects the server."""

    form = OAuthGrantForm
    change_form_outer_before_template = "admin/connector/oauthgrant/login.html"
    when_empty = gettext_lazy("Servers that want a login by OAuth are listed here.")
    list_display = ["server", "flow", "connected", "connected_at"]
    list_filter = ["flow"]
    list_select_related = ["server"]

    @admin.display(boolean=True)
    def connected(self, grant: OAuthGrant) -> bool:
        return grant.is_connected

    def get_readonly_fields(self, request: HttpRequest, obj: OAuthGrant | None = None) -> list[str]:
        return ["server"] if obj else []

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "server":
            remote = MCPTool.objects.present().exclude(connection_type=ConnectionType.STDIO)
            kwargs["queryset"] = remote.order_by("name")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def perform_create(self, request: HttpRequest, fields: Fields) -> OAuthGrant:
        return grants.connect(by=Actor.of(request), **fields)

    def perform_update(self, request: HttpRequest, row: OAuthGrant, changes: Fields) -> object:
        return grants.update(row, by=Actor.of(request), **changes)

    def perform_destroy(self, request: HttpRequest, row: OAuthGrant) -> object:
        return grants.delete(row, by=Actor.of(request))

    def get_urls(self) -> list[URLPattern]:
        """Returns also the login's pages.

        All grants share one callback, because clients are registered with its address.
        """
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/login/", view(require_POST(self.begin_login)), name="connector_oauthgrant_login"),
            path("callback/", view(self.end_login), name="connector_oauthgrant_callback"),
            *super().get_urls(),
        ]

    def begin_login(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Redirects the person to the authorization server."""
        grant = self._changeable(request, pk)
        callback = request.build_absolute_uri(reverse("admin:connector_oauthgrant_callback"))
        try:
            begun = async_to_sync(logins.begin)(grant.server_id, callback)
        except LoginFailed as failure:
            return self._back(request, grant, failure)
        # Abandoned logins never come back to be removed: the oldest make room for this one.
        others = list(request.session.get(PENDING, {}).items())[1 - MOST_PENDING :]
        request.session[PENDING] = dict(others) | {begun.state: [grant.pk, begun.worker]}
        return redirect(begun.url)

    def end_login(self, request: HttpRequest) -> HttpResponse:
        """Takes the redirect from the authorization server: once, in the session that began the login."""
        answer = {name: request.GET[name] for name in ("code", "state", "iss") if name in request.GET}
        pending = request.session.get(PENDING, {})
        # A state of another session would connect the server to somebody else's account (login CSRF,
        # RFC 6749, section 10.12).
        pk, worker = pending.pop(answer.get("state", ""), (None, ""))
        request.session[PENDING] = pending
        if pk is None:
            messages.error(request, _("This login was not begun in this session, or it is over."))
            return redirect("admin:connector_oauthgrant_changelist")
        grant = self._changeable(request, pk)
        try:
            if "code" not in answer:
                raise LoginFailed(
                    _("The authorization server refused: %(error)s")
                    % {"error": request.GET.get("error", "")[:64]}
                )
            async_to_sync(logins.finish)(worker, answer)
        except LoginFailed as failure:
            return self._back(request, grant, failure)
        actions.restart(grant.server, by=Actor.of(request))
        return self._back(request, grant)

    def _changeable(self, request: HttpRequest, pk: int) -> OAuthGrant:
        grant = get_object_or_404(OAuthGrant.objects.select_related("server"), pk=pk)
        if not self.has_change_permission(request, grant):
            raise PermissionDenied
        return grant

    def _back(
        self, request: HttpRequest, grant: OAuthGrant, failure: LoginFailed | None = None
    ) -> HttpResponse:
        if failure is None:
            messages.success(request, _("%(server)s is connected.") % {"server": grant.server})
        else:
            messages.error(request, told(failure).said())
        return redirect("admin:connector_oauthgrant_change", grant.pk)
