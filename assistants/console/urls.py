"""Routes below /admin/, in the namespace `admin`. config/admin_site.py demands a login for each."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
