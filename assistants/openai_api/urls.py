"""Routes below /v1/, with one for unknown URLs, and below /api/v1/, where the rest is management."""

from django.urls import path, re_path

from assistants.openai_api.chat.views import ChatCompletionViewSet
from assistants.openai_api.embeddings import EmbeddingViewSet
from assistants.openai_api.errors import unknown_url
from assistants.openai_api.model_list import ModelViewSet
from assistants.openai_api.responses.urls import urlpatterns as responses_urlpatterns

endpoint_urlpatterns = [
    path("chat/completions", ChatCompletionViewSet.as_view({"post": "create"})),
    path("embeddings", EmbeddingViewSet.as_view({"post": "create"})),
    path("models", ModelViewSet.as_view({"get": "list"})),
    path("models/<path:model>", ModelViewSet.as_view({"get": "retrieve"})),
    *responses_urlpatterns,
]
unknown_urlpattern = re_path("", unknown_url)

urlpatterns = [*endpoint_urlpatterns, unknown_urlpattern]
