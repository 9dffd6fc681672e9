"""What others ask for is looked up in turn, in threads, and never without bound."""

import threading
import time
from pathlib import Path

import pytest

from kachery_tui.config import load_channel
from kachery_tui.node.files.lookups import AT_A_GO, MOST_LOOKUPS, Lookups, Question
from kachery_tui.node.membership import Membership
from kachery_tui.node.supervisor import Supervisor
from kachery_tui.protocol.keys import PrivateKey
from kachery_tui.protocol.messages import FileKey
from tests.hubs import running_hub


class Desk:
    """Something that looks up, once it may, and what it was asked."""

    def __init__(self, channel_file: Path) -> None:
        self.supervisor = Supervisor()
        self.membership = Membership(
            load_channel(channel_file), PrivateKey.generate(), "me", self.supervisor, lambda *_: None
        )
        self.may = threading.Event()
        self.found_in: set[int] = set()
        self.answers: list[str] = []
        self.turned_away: list[str] = []
        self.lookups = Lookups(
            self.supervisor,
            self.find,
            lambda question, _: self.answers.append(question.asker),
            lambda question: self.turned_away.append(question.asker),
        )

    def find(self, key: FileKey) -> FileKey:
        self.may.wait(20)
        if key.sha1 == "d" * 40:
            raise ZeroDivisionError
        self.found_in.add(threading.get_ident())
        return key

    def ask(self, asker: str, sha1: str = "a" * 40) -> None:
        self.lookups.put_question(Question(self.membership, FileKey(sha1), asker, 1))

    @property
    def refused(self) -> int:
        return len(self.turned_away)


@pytest.fixture
async def desk(tmp_path: Path) -> Desk:
    async with running_hub(tmp_path / "hub") as hub:
        return Desk(hub.channel_files["lab"])


async def test_who_asks_once_is_answered_before_those_who_ask_without_end(desk: Desk) -> None:
    for _ in range(MOST_LOOKUPS + 100):
        desk.ask("loud")
    desk.ask("quiet")
    assert desk.refused > 0
    desk.may.set()
    await desk.supervisor.wait_idle()
    assert desk.answers.index("quiet") <= 2 * AT_A_GO
    assert len(desk.answers) + desk.refused == MOST_LOOKUPS + 101
    assert threading.get_ident() not in desk.found_in


async def test_a_defect_in_one_lookup_ends_no_other_for_good(desk: Desk) -> None:
    desk.may.set()
    desk.ask("one", "d" * 40)
    await desk.supervisor.wait_idle()
    assert desk.supervisor.failed == 1
    desk.ask("two")
    await desk.supervisor.wait_idle()
    assert desk.answers == ["two"]


async def test_slow_lookups_are_answered_one_by_one(desk: Desk) -> None:
    desk.may.set()
    find = desk.find

    def slow(key: FileKey) -> FileKey:
        time.sleep(0.05)
        return find(key)

    asked = Lookups(
        desk.supervisor, slow, lambda question, _: desk.answers.append(question.asker), lambda _: None
    )
    for number in range(6):
        asked.put_question(Question(desk.membership, FileKey("a" * 40), f"asker {number}", 1))
    await desk.supervisor.wait_idle()
    assert sorted(desk.answers) == [f"asker {number}" for number in range(6)]
