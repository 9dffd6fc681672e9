"""The values of the lower floors that a node hands on to whoever looks at it: the screen and the command line."""

from kachery_tui.channel.values import Connection, ConnectionState, Member
from kachery_tui.storage.values import Entry, Found, Order, Stored, Totals

__all__ = ["Connection", "ConnectionState", "Entry", "Found", "Member", "Order", "Stored", "Totals"]
