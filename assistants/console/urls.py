"""Routes below /admin/, in the namespace `admin`. config/admin_site.py demands a login for each."""

from django.urls import URLPattern, path

from assistants.console.key_access import KeyAccess

urlpatterns: list[URLPattern] = [
    path("keys/<int:pk>/access/", KeyAccess.as_view(), name="key_access"),
]
