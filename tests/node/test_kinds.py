"""Every kind that can be requested has its line in each table, and nothing outside its room asks for it by name."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

import kachery_tui
from kachery_tui.config import NodeConfig
from kachery_tui.node.feeds.subject import SubfeedSubject
from kachery_tui.node.files.subject import FileSubject
from kachery_tui.node.kinds import SUBJECTS
from kachery_tui.node.ledger import Ledger
from kachery_tui.node.node import Node
from kachery_tui.node.steps import Side, Step
from kachery_tui.node.subject import Subject
from kachery_tui.node.tasks.subject import TaskSubject
from kachery_tui.node.why import messages as why_messages
from kachery_tui.node.why import requests as why_requests
from kachery_tui.protocol.messages import Body, TaskFunctionType
from kachery_tui.protocol.roles import Kind
from kachery_tui.protocol.uris import FileUri, SubfeedKey, SubfeedUri
from kachery_tui.storage.storage import Storage
from kachery_tui.tui.describe import kinds as describe_kinds

PACKAGE = Path(kachery_tui.__file__).parent
SAMPLES: dict[Kind, Subject] = {
    Kind.FILES: FileSubject(FileUri("ab" * 20, "a.dat")),
    Kind.FEEDS: SubfeedSubject(SubfeedKey("ab" * 32, "cd" * 20), SubfeedUri("ab" * 32, "log")),
    Kind.TASKS: TaskSubject.call("echo.1", TaskFunctionType.QUERY, {"a": 1}),
}


def test_every_table_has_every_kind(tmp_path: Path) -> None:
    node = Node(NodeConfig(tmp_path, "ana"), Storage.open(tmp_path / "storage"), ())
    tables = (SUBJECTS, node._exchanges, why_requests._OF_KIND, describe_kinds._WORDS, SAMPLES)
    assert [set(table) for table in tables] == [set(Kind)] * len(tables)
    node.storage.close()


@pytest.mark.parametrize("kind", list(SUBJECTS))
def test_a_subject_says_all_that_is_asked_of_it(kind: Kind) -> None:
    subject = SAMPLES[kind]
    assert type(subject) is SUBJECTS[kind]
    assert subject.kind is kind
    words = (
        subject.noun,
        subject.wish,
        subject.took,
        subject.start_label,
        subject.stop_label,
        subject.stopped,
    )
    assert all(words)
    assert subject.name
    assert str(subject.uri)
    assert subject.is_same(subject)
    assert not any(subject.is_same(other) for other in SAMPLES.values() if other is not subject)
    row = Ledger().open(Side.MINE, "lab", subject, Step.STORAGE)
    described = describe_kinds.words_of(row)
    assert described.amount(row)
    assert all(described.progress(row))
    if subject.is_kept:
        back = SUBJECTS[kind].from_json(subject.to_json())
        assert (back.key, str(back.uri)) == (subject.key, str(subject.uri))
    else:
        with pytest.raises(ValueError, match="not kept"):
            SUBJECTS[kind].from_json(subject.to_json())


def members_of_kind() -> Iterator[tuple[str, int]]:
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id == "Kind"
            ):
                yield path.relative_to(PACKAGE).as_posix(), node.lineno


def test_only_rooms_and_tables_name_a_kind() -> None:
    tables = {"node/why/requests.py", "tui/describe/kinds.py", "node/history_rows.py"}
    rooms = {f"node/{kind}/{name}.py" for kind in SUBJECTS for name in ("subject", "exchange")}
    assert {path for path, _ in members_of_kind()} <= tables | rooms


def test_of_every_message_of_a_kind_is_said_why_it_led_to_nothing() -> None:
    acted_upon = {body.TYPE for body in get_args(Body) if body.STREAM.kind in SUBJECTS}
    assert set(why_messages._WISHES) | set(why_messages._ANSWERS) == acted_upon
