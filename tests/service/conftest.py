"""One hub a test."""

from tests.hub_fixtures import hub, lab

__all__ = ["hub", "lab"]
