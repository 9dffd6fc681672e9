"""Files: requested, provided, pushed."""
