"""A text field of several lines. By itself, since Textual's takes long to import and few ever open one."""

from textual.widgets import TextArea

from kachery_tui.tui.widgets.typing_in_order import TypingInOrder


class TypedArea(TypingInOrder, TextArea):
    """Several lines."""
