"""The first start: a short conversation that ends in a running node."""

from pathlib import Path

from kachery_tui.errors import UsageError
from kachery_tui.node.node import Node
from kachery_tui.tui.app import KacheryApp
from kachery_tui.tui.first_start import Answers, Suggestion
from tests.nodes import until
from tests.tui.screens import Person, unstarted_node


async def test_a_conversation_that_ends_in_a_running_node(tmp_path: Path, lab: Path) -> None:
    heard: list[Answers] = []
    node = unstarted_node(tmp_path / "me", lab)

    async def finish(answers: Answers) -> Node:
        heard.append(answers)
        if answers.channel_file != lab:
            raise UsageError(
                f"{answers.channel_file} is no channel file", "it is not there", "Check the path"
            )
        return node

    suggestion = Suggestion("ana@box", tmp_path / "kachery-storage", storage_found=True)
    app = KacheryApp(first_start=(suggestion, finish))
    try:
        async with app.run_test(size=(80, 24)) as pilot:
            me = Person(app, pilot, node)
            await me.reads("What should others call this node?", "ana@box", "used as it is", "Start a hub")
            await me.type("box")
            await me.press("enter", "enter", "down", "enter")
            await me.type("/nowhere.toml")
            await me.press("enter")
            await me.press("enter")
            await me.reads("/nowhere.toml is no channel file", "it is not there", "Check the path")
            await me.press("shift+tab")
            await me.type(str(lab)[:-4])
            await until(lambda: "is no channel file" not in me.text())
            await me.press("tab")
            await me.reads(lab.name)
            await me.press("tab", "enter")
            await me.reads("● lab connected")
            assert heard[-1] == Answers("box", tmp_path / "kachery-storage", lab, start_hub=False)
    finally:
        await node.close()


async def test_the_hub_is_what_is_offered_first(tmp_path: Path) -> None:
    heard: list[Answers] = []
    node = unstarted_node(tmp_path / "me", None)

    async def finish(answers: Answers) -> Node:
        heard.append(answers)
        return node

    app = KacheryApp(first_start=(Suggestion("ana", tmp_path / "storage"), finish))
    try:
        async with app.run_test(size=(80, 24)) as pilot:
            me = Person(app, pilot, node)
            await me.press("enter", "enter", "tab", "enter")
            await me.reads("on no channel")
            assert heard == [Answers("ana", tmp_path / "storage", None, start_hub=True)]
    finally:
        await node.close()


async def test_esc_leaves_without_a_node(tmp_path: Path) -> None:
    async def finish(answers: Answers) -> Node:
        raise AssertionError(answers)

    app = KacheryApp(first_start=(Suggestion("ana", tmp_path / "storage"), finish))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("escape")
        await until(lambda: not app.is_running)
    assert app.node is None
