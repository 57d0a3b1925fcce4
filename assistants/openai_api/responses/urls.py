from django.urls import path

from assistants.openai_api.errors import unknown_url
from assistants.openai_api.responses.views import InputTokensViewSet, ResponseViewSet, StoredResponseViewSet

_stored = StoredResponseViewSet.as_view

urlpatterns = [
    path("responses", ResponseViewSet.as_view({"post": "create"})),
    path("responses/input_tokens", InputTokensViewSet.as_view({"post": "create"})),
    path("responses/compact", unknown_url),  # without this it would be the id of a response
    path("responses/<str:response_id>", _stored({"get": "retrieve", "delete": "destroy"})),
    path("responses/<str:response_id>/input_items", _stored({"get": "input_items"})),
    path("responses/<str:response_id>/cancel", _stored({"post": "cancel"})),
]
