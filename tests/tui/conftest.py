"""One hub a test, as for nodes without a screen."""

from tests.node.conftest import hub, lab

__all__ = ["hub", "lab"]
