import pytest
from asgiref.sync import sync_to_async

from tests.assistants.approvals import scene as scenes
from tests.assistants.approvals.scene import Scene


@pytest.fixture
def scene(db: None) -> Scene:
    return scenes.build()


@pytest.fixture
async def committed(transactional_db: None) -> Scene:
    """The same for tests whose rows other connections read."""
    return await sync_to_async(scenes.build)()
