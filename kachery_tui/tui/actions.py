"""Every action of the screen: its key, its words, and why it cannot be done here and now.

Plain letters and digits only: Ctrl+S and Ctrl+Q stop a terminal, Ctrl+A and Ctrl+B belong to screen and tmux.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from kachery_tui.node.activity import StreamMessage
from kachery_tui.node.ledger import Request, Step
from kachery_tui.node.log import LogLine
from kachery_tui.node.values import Entry
from kachery_tui.protocol.roles import Role
from kachery_tui.tui.header import waiting
from kachery_tui.tui.here import ChannelRow, Here, Lane, PaneName, uri_of

AVAILABLE: Final = ""

_RETRYABLE: Final = frozenset({Step.FAILED, Step.CANCELLED, Step.DECLINED})


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that a person can do.

    `key` is Textual's name of the key, `shown` how the key is printed. `unavailable` gives the reason why it cannot
    be done here and now, or nothing. `footer` says whether the footer may offer it.
    """

    id: str
    key: str
    shown: str
    label: str
    tooltip: str
    unavailable: Callable[[Here], str] = lambda _: AVAILABLE
    footer: bool = True
    label_here: Callable[[Here], str] | None = None

    def label_at(self, here: Here) -> str:
        """What the footer calls it here."""
        return self.label_here(here) if self.label_here else self.label


def _open(here: Here) -> str:
    if here.selection is None:
        return "nothing is chosen"
    if isinstance(here.selection, ChannelRow):
        return AVAILABLE if here.selection.role else "choose a role, not the channel"
    return AVAILABLE


def _open_label(here: Here) -> str:
    match here.selection:
        case ChannelRow():
            return "Grant/drop"
        case Lane():
            return "Messages"
        case StreamMessage():
            return "Envelope"
        case LogLine():
            return "Whole line"
        case _:
            return "Details"


def _request(here: Here) -> str:
    return AVAILABLE if here.node.memberships else "this node is on no channel yet"


def _provide(here: Here) -> str:
    return AVAILABLE if waiting(here.node) else "no request waits for your answer"


def _provide_label(here: Here) -> str:
    return "Go to waiting" if waiting(here.node) and not _waits(here) else "Provide"


def _decline(here: Here) -> str:
    return AVAILABLE if _waits(here) else "choose a request that waits for you"


def _waits(here: Here) -> bool:
    return isinstance(here.selection, Request) and here.selection.step is Step.WAITING


def _push(here: Here) -> str:
    match here.selection:
        case Entry(kind="void"):
            return "the linked file changed or is gone"
        case Entry():
            pass
        case Request(path=None):
            return "this node does not have the file"
        case Request():
            pass
        case _:
            return "choose a file (4) or a request (3)"
    if here.channel not in here.node.memberships:
        return "this node is on no channel yet"
    if Role.PROVIDE_FILES not in here.node.memberships[here.channel].in_force:
        return f"needs provide-files in force on {here.channel}"
    return AVAILABLE


def _cancel(here: Here) -> str:
    if here.storing or (isinstance(here.selection, Request) and here.selection.is_active):
        return AVAILABLE
    if isinstance(here.selection, Request):
        return f"this request has ended ({here.selection.step})"
    return "choose a request that is under way (3)"


def _cancel_label(here: Here) -> str:
    is_request = isinstance(here.selection, Request) and here.selection.is_active
    return "Stop storing" if here.storing and not is_request else "Cancel"


def _retry(here: Here) -> str:
    if not isinstance(here.selection, Request):
        return "choose a request that failed (3)"
    if here.selection.is_active:
        return "it is still under way"
    if here.selection.step not in _RETRYABLE:
        return "it ended well; r asks anew"
    return AVAILABLE


def _uri(here: Here) -> str:
    return AVAILABLE if uri_of(here.node, here.selection) else "nothing with a URI is chosen"


def _role(here: Here) -> str:
    if not isinstance(here.selection, ChannelRow):
        return "choose a role in the channels pane (1)"
    return AVAILABLE if here.selection.role else "choose a role, not the channel"


def _role_label(here: Here) -> str:
    row = here.selection
    if isinstance(row, ChannelRow) and row.role and row.channel in here.node.memberships:
        return "Drop role" if row.role in here.node.memberships[row.channel].asked else "Grant role"
    return "Grant/drop"


def _hint(here: Here) -> str:
    return AVAILABLE if here.hinting else "there is no tour here"


def _pane(number: int, name: PaneName) -> Action:
    return Action(
        f"pane-{name}", str(number), str(number), name.capitalize(), f"Go to the {name} pane", footer=False
    )


ACTIONS: Final = (
    Action("request", "r", "r", "Request", "Ask for a file by its URI", _request),
    Action(
        "provide",
        "p",
        "p",
        "Provide",
        "Send the file that another node waits for",
        _provide,
        label_here=_provide_label,
    ),
    Action("decline", "n", "n", "Decline", "Do not send it", _decline),
    Action(
        "cancel",
        "x",
        "x",
        "Cancel",
        "Stop the request; verified chunks are kept",
        _cancel,
        label_here=_cancel_label,
    ),
    Action("retry", "R", "R", "Retry", "Try again, from what is verified already", _retry),
    Action("push", "u", "u", "Push", "Upload the file to the bucket now, and announce it", _push),
    Action(
        "role",
        "g",
        "g",
        "Grant/drop",
        "Ask for the role on this channel, or give it up",
        _role,
        label_here=_role_label,
    ),
    Action(
        "open",
        "enter",
        "Enter",
        "Details",
        "Show all there is of what is chosen",
        _open,
        label_here=_open_label,
    ),
    Action("copy", "y", "y", "Copy URI", "Copy the URI to your terminal's clipboard", _uri),
    Action("store", "s", "s", "Store", "Copy a file into storage and get its URI"),
    Action("link", "S", "S", "Link", "Give a file a URI where it is, without a copy"),
    Action(
        "show-uri",
        "Y",
        "Y",
        "Show URI",
        "Show the URI at full width, to select it by mouse",
        _uri,
        footer=False,
    ),
    Action("hint", "t", "t", "Next hint", "Go on to the tour's next hint", _hint),
    *(_pane(number, name) for number, name in enumerate(PaneName, 1)),
    Action("zoom", "z", "z", "Zoom", "Show this pane alone, or several together"),
    Action("help", "question_mark", "?", "Help", "What every key does here, and why some do not"),
    Action("quit", "q", "q", "Quit", "Leave the screen; this node ends with it"),
)

BY_ID: Final[Mapping[str, Action]] = {action.id: action for action in ACTIONS}


def available(here: Here) -> list[Action]:
    """The actions that the footer offers here and now."""
    return [action for action in ACTIONS if action.footer and not action.unavailable(here)]
