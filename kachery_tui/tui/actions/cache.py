"""The cache: keeping files from eviction, checking, trashing and restoring them, and finding them on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from kachery_tui.tui.actions.action import Action

ACTIONS: Final[tuple[Action, ...]] = ()
