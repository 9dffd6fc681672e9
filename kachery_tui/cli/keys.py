"""`keys`: what can be pressed on the screen."""

from argparse import Namespace

from kachery_tui.cli.output import emit
from kachery_tui.cli.place import find_place
from kachery_tui.tui.actions import ACTIONS
from kachery_tui.tui.keymap import Keymap


def keys(args: Namespace) -> int:
    """Print every action with its key, as the person has set them."""
    keymap = Keymap(find_place(args).config.keys)
    shown = {action.id: keymap.key_of(action) for action in ACTIONS}
    widths = max(map(len, shown)), max(map(len, shown.values()))
    for action in ACTIONS:
        key = shown[action.id]
        text = f"{action.id:<{widths[0]}}  {key or '–':<{widths[1]}}  {action.about}"
        value = {
            "id": action.id,
            "key": key,
            "group": str(action.group),
            "label": action.label,
            "about": action.about,
        }
        emit(text, value, as_json=args.as_json)
    return 0
