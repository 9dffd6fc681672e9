"""Why something is as it is: the causal chain in words, for requests, roles, streams, messages, feeds and stored files.

Pure functions over the node's state. Each link is one short sentence that stands by itself; the last ones say what to
do next.
"""

from kachery_tui.node.why.entries import why_entry
from kachery_tui.node.why.feeds import why_subfeed
from kachery_tui.node.why.functions import why_function
from kachery_tui.node.why.links import Link, Mark
from kachery_tui.node.why.messages import why_message
from kachery_tui.node.why.requests import why_request
from kachery_tui.node.why.roles import why_role
from kachery_tui.node.why.streams import why_stream

__all__ = [
    "Link",
    "Mark",
    "why_entry",
    "why_function",
    "why_message",
    "why_request",
    "why_role",
    "why_stream",
    "why_subfeed",
]
