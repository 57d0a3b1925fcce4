"""Routes below /admin/, in the namespace `admin`. config/admin_site.py demands a login for each."""

from django.urls import URLPattern, path

from assistants.console.access_page import AccessPage
from assistants.console.approval_page import ApprovalDecision, ApprovalPage, ApprovalStatePart
from assistants.console.command_page import CommandPage
from assistants.console.connect import ConnectPage
from assistants.console.context_cost import ContextCostPage
from assistants.console.inbox_page import NeedsYouPage, RemedyView, WaitingCallsPart
from assistants.console.key_access import KeyAccess
from assistants.console.playground import PlaygroundPage
from assistants.console.playground_chat import chat
from assistants.console.provider_test import ProviderTest
from assistants.console.server_calls import ServerCalls
from assistants.console.tool_search import ToolSearchPage
from assistants.console.tools_page import ToolsPage
from assistants.console.usage_page import UsageCsv, UsagePage

_ASSISTANT = "assistants/assistant/<int:pk>"

urlpatterns: list[URLPattern] = [
    path("assistants/approval/<int:pk>/", ApprovalPage.as_view(), name="approval"),
    path("assistants/approval/<int:pk>/state/", ApprovalStatePart.as_view(), name="approval_state"),
    path("assistants/approval/<int:pk>/decide/", ApprovalDecision.as_view(), name="approval_decision"),
    path(f"{_ASSISTANT}/tools/", ToolsPage.as_view(), name="assistant_tools"),
    path(f"{_ASSISTANT}/tools/search/", ToolSearchPage.as_view(), name="assistant_tool_search"),
    path(f"{_ASSISTANT}/access/", AccessPage.as_view(), name="assistant_access"),
    path(f"{_ASSISTANT}/cost/", ContextCostPage.as_view(), name="assistant_cost"),
    path("playground/", PlaygroundPage.as_view(), name="playground"),
    path(f"{_ASSISTANT}/playground/", PlaygroundPage.as_view(), name="assistant_playground"),
    path(f"{_ASSISTANT}/connect/", ConnectPage.as_view(), name="assistant_connect"),
    path("assistants/provider/<int:pk>/test/", ProviderTest.as_view(), name="assistants_provider_test"),
    path("commands/<slug:command>/<int:pk>/", CommandPage.as_view(), name="command"),
    path("servers/<int:pk>/calls/", ServerCalls.as_view(), name="server_calls"),
    path("keys/<int:pk>/access/", KeyAccess.as_view(), name="key_access"),
    path("needs-you/", NeedsYouPage.as_view(), name="needs_you"),
    path("needs-you/calls/", WaitingCallsPart.as_view(), name="needs_you_calls"),
    path("needs-you/<slug:name>/<int:pk>/", RemedyView.as_view(), name="needs_you_remedy"),
    path("usage/", UsagePage.as_view(), name="usage"),
    path("usage/csv/", UsageCsv.as_view(), name="usage_csv"),
]

async_urlpatterns: list[URLPattern] = [path("playground/chat", chat, name="playground_chat")]
"""Async views, in no namespace: they check the login themselves, since the admin's check is not async."""
