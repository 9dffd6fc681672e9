"""Asking in the line above the footer: for a filter, and where to jump."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kachery_tui.tui.jumps import jump_problem, jump_to
from kachery_tui.tui.widgets.prompt import Prompt

if TYPE_CHECKING:
    from kachery_tui.tui.desk import Desk


def ask_for_filter(desk: Desk) -> None:
    """Ask for a filter of the current pane; it is in force as it is typed."""
    pane, before = desk.pane, desk.pane.filter.text

    def judge(text: str) -> str:
        problem = pane.filter_problem(text)
        if not problem:
            desk.set_filter(text, pane)
        return problem

    def done(text: str | None) -> None:
        desk.set_filter(before if text is None else text, pane)
        desk.set_focus(pane.focus_target)

    about = f"words, or {', '.join(f'{name}:…' for name in pane.fields)}; ! negates"
    desk.query_one(Prompt).open("filter /", before, about=about, judge=judge, done=done)


def ask_for_jump(desk: Desk) -> None:
    """Ask where to go, and go there."""
    pane = desk.pane

    def done(text: str | None) -> None:
        desk.set_focus(pane.focus_target)
        if text:
            jump_to(desk, text)

    is_attached = desk.program.is_attached
    about = "a pane, a channel, a request's number" + (", node NAME" if is_attached else "")
    desk.query_one(Prompt).open(
        "jump :",
        "",
        about=about,
        judge=lambda text: jump_problem(desk.node, text, is_attached=is_attached),
        done=done,
    )
