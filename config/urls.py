from typing import cast

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularSwaggerSplitView

from assistants.console.approval_changes import approval_changes
from assistants.console.urls import async_urlpatterns as streams_of_assistants
from assistants.console.urls import urlpatterns as pages_of_assistants
from assistants.openai_api.errors import unknown_url
from assistants.openai_api.urls import endpoint_urlpatterns, unknown_urlpattern
from config import health, metrics_view
from config.admin_site import ConsoleSite
from config.schema_view import SchemaView
from connector.admin.urls import urlpatterns as pages_of_connector
from tools.admin.server_changes import server_changes

admin.autodiscover()
cast(ConsoleSite, admin.site).pages = [*pages_of_assistants, *pages_of_connector]

urlpatterns = [
    path("", RedirectView.as_view(url="/admin/")),
    path("health", health.health),
    path("ready", health.ready),
    path("metrics", metrics_view.metrics),
    path("v1", unknown_url),
    path("v1/", include([*endpoint_urlpatterns, unknown_urlpattern])),
    path("api/v1/", include(endpoint_urlpatterns)),
    path("api/v1/", include("apikeys.api.urls")),
    path("api/v1/", include("assistants.tool_api.urls")),
    path("api/v1/", include("assistants.api.urls")),
    path("api/v1/", include("connector.api.urls")),
    path("api/v1/", include("tools.api.urls")),
    path("api/schema", SchemaView.as_view(), name="schema"),
    path("api/docs", SpectacularSwaggerSplitView.as_view(url_name="schema")),
    path("i18n/", include("django.conf.urls.i18n")),
    path("admin/", include(streams_of_assistants)),
    path("admin/approvals/changes", approval_changes, name="approval_changes"),
    path("admin/servers/changes", server_changes, name="server_changes"),
    path("admin/", admin.site.urls),
]

handler400 = "config.errors.bad_request"
handler404 = "config.errors.not_found"
handler500 = "config.errors.server_error"
