"""`python -m kachery_tui`: the same as the `kachery-tui` command."""

from kachery_tui.cli.main import run

run()
