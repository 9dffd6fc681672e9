"""Which key does what: the registry's keys, with those that the person has remapped."""

from __future__ import annotations

from difflib import get_close_matches
from itertools import combinations
from typing import TYPE_CHECKING, Final

from textual.keys import KEY_NAME_REPLACEMENTS, Keys

from kachery_tui.errors import UsageError
from kachery_tui.tui.actions import ACTIONS, BY_ID
from kachery_tui.tui.actions.offered import offered
from kachery_tui.tui.widgets.footer import Offer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from textual.events import Key

    from kachery_tui.tui.actions import Action
    from kachery_tui.tui.here import Here, PaneName

TAKEN: Final = {
    "ctrl+s": "it stops a terminal",
    "ctrl+q": "it starts a stopped terminal",
    "ctrl+a": "it belongs to screen",
    "ctrl+b": "it belongs to tmux",
    "ctrl+c": "it leaves the program",
    "ctrl+z": "it suspends the program",
    "escape": "it goes back",
    "up": "it moves in lists",
    "down": "it moves in lists",
    "j": "it moves in lists",
    "k": "it moves in lists",
    "tab": "it goes to the next list",
}
"""Keys that cannot be mapped, and why."""

_SHOWN: Final = {"enter": "Enter", "space": "Space", "left": "←", "right": "→", "ctrl+p": "Ctrl+P"}


class Keymap:
    """Keys of all actions. `overrides` maps action ids to keys, as `[keys]` in config.toml has them.

    Raises `UsageError` for an action that there is none of, a key that there is none of or that is taken, and two
    actions on one key in one pane.
    """

    def __init__(self, overrides: Mapping[str, str] | None = None) -> None:
        self._keys = {action.id: action.key for action in ACTIONS}
        self._also = {action.id: action.also for action in ACTIONS if action.id not in (overrides or {})}
        for id_, key in (overrides or {}).items():
            self._keys[id_] = _checked(id_, key)
        self._refuse_clashes()

    def key_of(self, action: Action | str) -> str:
        """How an action's key is printed; empty where it has none, and for what is no action."""
        key = self._keys.get(action if isinstance(action, str) else action.id, "")
        return _SHOWN.get(key, key if len(key) == 1 else key.capitalize())

    def offers(self, here: Here) -> tuple[list[Offer], list[Offer]]:
        """The keys for the footer: those of the pane, and those of the program."""
        first, last = (
            [
                Offer(action.id, self.key_of(action), action.label_at(here), can=not action.reason(here))
                for action in actions
            ]
            for actions in offered(here)
        )
        return first, last

    def action_at(self, event: Key, pane: PaneName) -> Action | None:
        """The action of a pressed key in a pane; one that works there goes before one that works elsewhere."""
        names = {event.key, event.character or ""}
        found = [action for action in ACTIONS if names & self._all_keys(action)]
        return next((action for action in found if pane in action.panes), found[0] if found else None)

    def _all_keys(self, action: Action) -> set[str]:
        return {self._keys[action.id], self._also.get(action.id, "")} - {""}

    def _refuse_clashes(self) -> None:
        keys = {action.id: self._all_keys(action) for action in ACTIONS}
        for one, other in combinations(ACTIONS, 2):
            shared = keys[one.id] & keys[other.id]
            if shared and one.panes & other.panes:
                key = shared.pop()
                raise UsageError(
                    f"[keys] in config.toml: the key {key} does two things",
                    f"{one.id} and {other.id} have it",
                    f"Give {one.id} or {other.id} another key",
                )


def _checked(id_: str, key: str) -> str:
    if id_ not in BY_ID:
        near = get_close_matches(id_, BY_ID, n=1, cutoff=0.4)
        hint = f"Did you mean {near[0]}? " if near else ""
        raise UsageError(
            f"[keys] in config.toml: there is no action {id_!r}", "", f"{hint}`kachery-tui keys` lists them"
        )
    if key in TAKEN:
        raise UsageError(
            f"[keys] in config.toml: {id_} cannot have the key {key}", TAKEN[key], "Choose another"
        )
    known = {str(one.value) for one in Keys} | set(KEY_NAME_REPLACEMENTS.values())
    if not key or (len(key) == 1 and key.isprintable() and key != " ") or key in known:
        return key
    raise UsageError(
        f"[keys] in config.toml: {id_} cannot have the key {key!r}",
        "there is no such key",
        "A character such as R, or a name such as f5, ctrl+r, space, pageup would do",
    )
