"""Routes below /v1/, with one for unknown URLs, and below /api/v1/, where the rest is management."""

from django.urls import path, re_path, register_converter
from django.urls.converters import PathConverter

from assistants.openai_api.chat.views import ChatCompletionViewSet
from assistants.openai_api.embeddings import EmbeddingViewSet
from assistants.openai_api.errors import unknown_url
from assistants.openai_api.model_list import ModelViewSet
from assistants.openai_api.responses.urls import urlpatterns as responses_urlpatterns


class AnyPathConverter(PathConverter):
    """Django's own matches no line feed: its 404 would come in the envelope of the management API."""

    regex = r"[\s\S]+"


register_converter(AnyPathConverter, "anypath")

endpoint_urlpatterns = [
    path("chat/completions", ChatCompletionViewSet.as_view({"post": "create"})),
    path("embeddings", EmbeddingViewSet.as_view({"post": "create"})),
    path("models", ModelViewSet.as_view({"get": "list"})),
    path("models/<anypath:model>", ModelViewSet.as_view({"get": "retrieve"})),
    *responses_urlpatterns,
]
unknown_urlpattern = re_path("", unknown_url)

urlpatterns = [*endpoint_urlpatterns, unknown_urlpattern]
