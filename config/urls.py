from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from assistants.openai_api.errors import unknown_url
from assistants.openai_api.urls import endpoint_urlpatterns, unknown_urlpattern
from config import health

urlpatterns = [
    path("", RedirectView.as_view(url="/admin/")),
    path("health", health.health),
    path("ready", health.ready),
    path("v1", unknown_url),
    path("v1/", include([*endpoint_urlpatterns, unknown_urlpattern])),
    path("api/v1/", include(endpoint_urlpatterns)),
    path("api/v1/", include("apikeys.api.urls")),
    path("api/v1/", include("assistants.api.urls")),
    path("api/v1/", include("connector.api.urls")),
    path("api/v1/", include("tools.api.urls")),
    path("api/schema", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs", SpectacularSwaggerView.as_view(url_name="schema")),
    path("admin/", admin.site.urls),
]

handler400 = "config.errors.bad_request"
handler404 = "config.errors.not_found"
handler500 = "config.errors.server_error"
