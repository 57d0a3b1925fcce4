"""Runs that fail."""

import pytest

from assistants.errors import UpstreamFailed
from tests.assistants.agent.conftest import Assistant


async def failure(assistant: Assistant) -> UpstreamFailed:
    with pytest.raises(UpstreamFailed) as failed:
        await assistant.events()
    return failed.value
