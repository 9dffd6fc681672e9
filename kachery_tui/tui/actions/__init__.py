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

__all__ = ["ACTIONS", "BY_ID", "Action", "Group"]

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
