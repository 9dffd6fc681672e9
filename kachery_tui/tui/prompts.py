"""Asking in the line above the footer: for a filter, and where to jump."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kachery_tui.tui.jumps import jump_problem, jump_to
from kachery_tui.tui.widgets.prompt import Prompt

if TYPE_CHECKING:
    from kachery_tui.tui.screen import MainScreen


def ask_for_filter(screen: MainScreen) -> None:
    """Ask for a filter of the current pane; it is in force as it is typed."""
    pane, before = screen.pane, screen.pane.filter.text

    def judge(text: str) -> str:
        problem = pane.filter_problem(text)
        if not problem:
            screen.set_filter(text, pane)
        return problem

    def done(text: str | None) -> None:
        screen.set_filter(before if text is None else text, pane)
        screen.set_focus(pane.focus_target)

    about = f"words, or {', '.join(f'{name}:…' for name in pane.fields)}; ! negates"
    screen.query_one(Prompt).open("filter /", before, about=about, judge=judge, done=done)


def ask_for_jump(screen: MainScreen) -> None:
    """Ask where to go, and go there."""
    pane = screen.pane

    def done(text: str | None) -> None:
        screen.set_focus(pane.focus_target)
        if text:
            jump_to(screen, text)

    about = "a pane, a channel, a request's number"
    screen.query_one(Prompt).open(
        "jump :", "", about=about, judge=lambda text: jump_problem(screen.node, text), done=done
    )
