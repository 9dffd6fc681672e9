from collections.abc import Iterator
from pathlib import Path

import pytest

from kachery_tui.storage import Storage
from kachery_tui.storage.feeds import FeedStore
from tests.storage.feed_helpers import unpack_old


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    opened = Storage.open(tmp_path / "storage")
    yield opened
    opened.close()


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A storage folder as the old programs left it."""
    return unpack_old(tmp_path)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FeedStore]:
    """The feeds of a folder that has none yet."""
    opened = FeedStore(tmp_path)
    yield opened
    opened.close()
