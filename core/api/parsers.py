"""The parser of the management API."""

from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ValidationError
from rest_framework.parsers import BaseParser

from core import strict_json
from core.errors import InvalidRequest


class StrictJSONParser(BaseParser):
    """Parses one JSON object in UTF-8.

    DRF's own parser decodes by whatever codec the caller names, and recurses as deep as the JSON is nested.
    """

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        meta = parser_context["request"].META if parser_context else {}
        strict_json.require_json_type(media_type or "", meta.get("HTTP_CONTENT_ENCODING", ""))
        try:
            return self.loads(stream)
        except InvalidRequest as error:
            if error.param is None:
                raise
            raise ValidationError({error.param: [error.detail]}) from error

    def loads(self, stream: IO[bytes]) -> dict[str, Any]:
        """Returns the object that a body holds. Raises InvalidRequest."""
        return strict_json.loads(stream.read())
