"""Text fields in which every key acts in the order in which it was typed."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual import events
from textual.widgets import Input

if TYPE_CHECKING:
    from textual.widget import Widget as Base
else:
    # Of several widgets that a class descends from, Textual heeds the styles of the first alone.
    Base = object


class TypingInOrder(Base):
    """Does what its own keys stand for (backspace, arrows) as soon as they come to it.

    Left to Textual, a key that is no character goes up to the app, and acts after characters that were typed later.
    """

    async def _on_key(self, event: events.Key) -> None:
        for binding in self._bindings.key_to_bindings.get(event.key, ()):
            if not event.is_printable:
                event.stop()
                event.prevent_default()
                await self.run_action(binding.action)
                return


class TypedInput(TypingInOrder, Input):
    """A line. What is pasted goes to `pasted` first, which says whether that was the end of it: a line takes but one."""

    pasted: Callable[[str], bool] | None = None

    def _on_paste(self, event: events.Paste) -> None:
        # Unless it is prevented, Textual has its own class take it next.
        if self.pasted is not None and self.pasted(event.text):
            event.stop()
            event.prevent_default()
