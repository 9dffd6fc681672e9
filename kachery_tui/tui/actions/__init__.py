"""Every action of the desk, in one registry: id, key, words, why it cannot be done, and what it does.

A module for each subject. Keys are plain: Ctrl+S and Ctrl+Q stop a terminal, Ctrl+A and Ctrl+B belong to screen and tmux.
"""

from collections.abc import Mapping
from typing import Final

from kachery_tui.tui.actions import (
    cache,
    channels,
    feeds,
    following,
    joining,
    lists,
    looking,
    members,
    panes,
    pictures,
    program,
    pushing,
    requests,
    storing,
)
from kachery_tui.tui.actions.action import Action, Group
from kachery_tui.tui.here import Here

__all__ = ["ACTIONS", "BY_ID", "Action", "Group", "available"]

ACTIONS: Final[tuple[Action, ...]] = (
    *requests.ACTIONS,
    *pushing.ACTIONS,
    *cache.ACTIONS,
    *channels.ACTIONS,
    *members.THROWING_OUT,
    *feeds.MESSAGES,
    *looking.ACTIONS,
    *members.ACTIONS,
    *joining.ACTIONS,
    *feeds.ACTIONS,
    *following.ACTIONS,
    *lists.ACTIONS,
    *storing.ACTIONS,
    *panes.ACTIONS,
    *pictures.ACTIONS,
    *program.ACTIONS,
)

BY_ID: Final[Mapping[str, Action]] = {action.id: action for action in ACTIONS}


def available(here: Here) -> list[Action]:
    """The actions that the footer offers here and now."""
    offered = (action for action in ACTIONS if action.footer and here.pane in action.footer_panes)
    return [action for action in offered if not action.reason(here)]
