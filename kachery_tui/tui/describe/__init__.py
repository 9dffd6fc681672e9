"""What the panes say of what they show: lines and cells, made from the node's state by pure functions.

A module for each subject.
"""

from collections.abc import Callable

LabelOf = Callable[[str], str]
"""What to call a node, by its id."""
