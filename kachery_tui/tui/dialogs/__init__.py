"""Questions and texts that lie over the panes for a moment."""
