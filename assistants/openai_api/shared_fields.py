"""The fields that requests of both APIs have, under the same names."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from assistants.openai_api.messages import Schema
from assistants.validation import LONGEST_END_USER

Penalty = Annotated[float, Field(ge=-2, le=2)]
Word = Annotated[str, Field(pattern=r"^[a-z_-]{1,32}$")]
"""One of a service's own words. They differ between services, and grow in number."""
Identifier = Annotated[str, Field(max_length=LONGEST_END_USER)]
LONGEST_SESSION_ID = 512
"""In characters: as much as a value of `metadata`, which may name a session."""
Metadata = Annotated[
    dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]], Field(max_length=16)
]


class SharedFields(Schema):
    """`metadata` and `session_id` are for us; what else is given here goes on to the LLM service."""

    model: str
    stream: bool | None = None
    parallel_tool_calls: bool | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    service_tier: Word | None = None
    user: Identifier | None = None
    safety_identifier: Identifier | None = None
    prompt_cache_key: Identifier | None = None
    prompt_cache_retention: Annotated[str, Field(max_length=32)] | None = None
    metadata: Metadata | None = None
    session_id: Annotated[str, Field(max_length=LONGEST_SESSION_ID)] | None = None

    _PASSED_ON: ClassVar[set[str]] = {
        "frequency_penalty",
        "parallel_tool_calls",
        "presence_penalty",
        "prompt_cache_key",
        "prompt_cache_retention",
        "safety_identifier",
        "service_tier",
        "temperature",
        "top_p",
        "user",
    }

    @property
    def shared_sampling(self) -> dict[str, Any]:
        """The parameters for the LLM service that both APIs name alike."""
        return self.model_dump(include=self._PASSED_ON, exclude_none=True)
