"""A hub: pub-sub service and bucket of channels on this machine, with nothing to sign up for."""

from kachery_tui.hub.addresses import Address, Certificate
from kachery_tui.hub.hub import Hub, HubOptions, run_hub
from kachery_tui.hub.pubsub.limits import Limits

__all__ = ["Address", "Certificate", "Hub", "HubOptions", "Limits", "run_hub"]
