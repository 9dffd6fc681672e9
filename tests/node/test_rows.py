"""What the rows of the ledger say, in the corners of an exchange."""

from pathlib import Path

from kachery_tui.node.ledger import Step
from kachery_tui.protocol.roles import Role
from tests.nodes import at_step, running_node

REQUEST = (Role.REQUEST_FILES,)
PROVIDE = (Role.PROVIDE_FILES,)
NOWHERE = "sha1://" + "ab" * 20


async def test_a_request_that_is_cancelled_at_once_ends(tmp_path: Path) -> None:
    async with running_node(tmp_path / "ana", None) as ana:
        row = ana.files.request(NOWHERE)
        ana.files.cancel(row.number)
        await ana.wait_idle()
        assert row.step is Step.CANCELLED
        assert row.finished.is_set()
        assert row.failure is not None
        assert "was cancelled" in row.failure.what


async def test_a_row_that_is_tried_again_by_whoever_waited_for_its_end_can_be_cancelled(
    tmp_path: Path, lab: Path
) -> None:
    async with running_node(tmp_path / "ana", lab, roles=REQUEST, limits={"answer_timeout": 0.1}) as ana:
        row = ana.files.request(NOWHERE)
        await row.finished.wait()
        ana.files.retry(row.number)
        await at_step(row, Step.ASKING)
        ana.files.cancel(row.number)
        await row.finished.wait()
        assert row.step is Step.CANCELLED
