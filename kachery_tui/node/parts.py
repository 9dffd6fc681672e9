"""What every exchange is given of its node."""

from collections.abc import Mapping
from dataclasses import dataclass

from kachery_tui.node.eviction import Evictor
from kachery_tui.node.ledger import Ledger
from kachery_tui.node.membership import Membership
from kachery_tui.node.people import People
from kachery_tui.node.rates import RateMeter
from kachery_tui.node.supervisor import Supervisor
from kachery_tui.storage.storage import Storage


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of one node, which outlive whatever is done with them."""

    storage: Storage
    evictor: Evictor
    ledger: Ledger
    supervisor: Supervisor
    memberships: Mapping[str, Membership]
    """The joined channels by name, at any time."""
    people: People
    uploaded: RateMeter
    """Bytes that went to buckets."""
    downloaded: RateMeter
    """Bytes that came from buckets."""
