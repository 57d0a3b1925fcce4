"""Routes below /api/v1/. `config.application` sends them to the endpoints' handler."""

from django.urls import path

from assistants.tool_api.views import AssistantToolViewSet

urlpatterns = [
    path("assistants/<str:slug>/tools/<str:name>", AssistantToolViewSet.as_view({"post": "call"})),
    path("assistants/<str:slug>/openapi.json", AssistantToolViewSet.as_view({"get": "describe"})),
]
