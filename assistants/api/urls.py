from django.urls import path
from rest_framework.routers import SimpleRouter

from assistants.api.access import AccessView, MeView
from assistants.api.approvals import ApprovalViewSet
from assistants.api.assistants import AssistantViewSet
from assistants.api.providers import ProviderViewSet
from assistants.api.rules import RuleViewSet
from assistants.api.runs import RunViewSet
from assistants.api.search import ToolSearchView
from assistants.api.sessions import SessionViewSet
from assistants.api.usage import UsageView
from assistants.api.webhooks import DeliveryViewSet, WebhookViewSet

router = SimpleRouter(trailing_slash=False)
router.register("approvals", ApprovalViewSet, basename="approval")
router.register("assistants", AssistantViewSet, basename="assistant")
router.register("providers", ProviderViewSet, basename="provider")
router.register("rules", RuleViewSet, basename="rule")
router.register("runs", RunViewSet, basename="run")
router.register("sessions", SessionViewSet, basename="session")
router.register("webhooks", WebhookViewSet, basename="webhook")

urlpatterns = [
    *router.urls,
    path("mcp-tools/search", ToolSearchView.as_view(), name="mcp-tool-search"),
    path("usage", UsageView.as_view()),
    path("me", MeView.as_view()),
    path("api-keys/<int:pk>/access", AccessView.as_view()),
    path("webhooks/<str:pk>/deliveries", DeliveryViewSet.as_view({"get": "list"}), name="delivery-list"),
    path(
        "webhooks/<str:pk>/deliveries/<int:delivery>/resend",
        DeliveryViewSet.as_view({"post": "resend"}),
        name="delivery-resend",
    ),
]
