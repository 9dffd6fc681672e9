"""kachery-tui: a node of the kachery network in a terminal."""

__version__ = "0.1.0"
