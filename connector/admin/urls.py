"""Routes below /admin/, in the namespace `admin`. config/admin_site.py demands a login for each."""

from django.urls import URLPattern, path

from connector.admin.inspector import Inspector, InspectorCall
from connector.admin.server_instances import ServerInstances
from connector.admin.server_test import ServerTest
from connector.admin.server_uptime import ServerUptime

urlpatterns: list[URLPattern] = [
    path("servers/test/", ServerTest.as_view(), name="server_test_new"),
    path("servers/<int:pk>/test/", ServerTest.as_view(), name="server_test"),
    path("servers/<int:pk>/inspector/", Inspector.as_view(), name="server_inspector"),
    path("servers/<int:pk>/inspector/call/", InspectorCall.as_view(), name="server_inspector_call"),
    path("servers/<int:pk>/instances/", ServerInstances.as_view(), name="server_instances"),
    path("servers/<int:pk>/uptime/", ServerUptime.as_view(), name="server_uptime"),
]
