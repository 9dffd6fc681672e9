"""The panes: each a module, each a view of one part of the node's state."""
