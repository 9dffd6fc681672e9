"""A hub: pub-sub service and bucket of channels on this machine, with nothing to sign up for."""

from kachery_tui.hub.run import Hub, HubOptions, run_hub

__all__ = ["Hub", "HubOptions", "run_hub"]
