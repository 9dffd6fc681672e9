from collections.abc import Iterator
from pathlib import Path

import pytest

from kachery_tui.storage import Storage


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    opened = Storage.open(tmp_path / "storage")
    yield opened
    opened.close()
