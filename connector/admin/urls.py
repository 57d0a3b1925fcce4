"""Routes below /admin/, in the namespace `admin`. config/admin_site.py demands a login for each."""

from django.urls import URLPattern, path

from connector.admin.server_instances import ServerInstances
from connector.admin.server_uptime import ServerUptime

urlpatterns: list[URLPattern] = [
    path("servers/<int:pk>/instances/", ServerInstances.as_view(), name="server_instances"),
    path("servers/<int:pk>/uptime/", ServerUptime.as_view(), name="server_uptime"),
]
