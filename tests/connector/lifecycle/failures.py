"""Calls that fail."""

from typing import Any

import pytest

from connector.errors import CallFailed


async def failure(call: Any) -> CallFailed:
    with pytest.raises(CallFailed) as failed:
        await call
    return failed.value
