"""A hub: pub-sub service and bucket of channels on this machine, with nothing to sign up for."""

from kachery_tui.hub.hub import Certificate, Hub, HubOptions, run_hub
from kachery_tui.hub.pubsub.limits import Limits

__all__ = ["Certificate", "Hub", "HubOptions", "Limits", "run_hub"]
