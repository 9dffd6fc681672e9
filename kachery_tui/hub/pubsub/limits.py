"""What a hub lets its clients take up, and how long it waits for them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Every bound of a hub's pub-sub service. Sizes in bytes, times in seconds."""

    connections: int = 1_000
    """Connections kept at once, those included whose transport is gone and who may still come back."""

    channels_per_connection: int = 200
    """Channels that one connection attaches to: Ably's own default."""

    message_bytes: int = 65_536
    """One publish: names, ids, client ids, encodings and data of its messages, and what their extras take."""

    frame_bytes: int = 524_288
    """One WebSocket message. JSON takes up to six characters for a byte of data, so this is well over `message_bytes`."""

    messages_per_frame: int = 1_000
    name_length: int = 256
    """Characters of a channel's name, a client id, a message's id or event name."""

    token_bytes: int = 16_384
    outgoing_bytes: int = 16 * 1024 * 1024
    """Waiting to be sent to one client. One that reads too slowly is cut off; it can resume and catch up."""

    member_bytes: int = 4_096
    """What one presence member may say of itself: a page of a SYNC stays well under a client's largest frame."""

    members_per_channel: int = 1_000
    members_per_connection: int = 250
    history_messages: int = 50_000
    history_bytes: int = 32 * 1024 * 1024
    """Kept for those who come back, over all channels; the oldest go first."""

    history_seconds: float = 120.0
    connection_state_ttl: float = 120.0
    """How long a connection that lost its transport can be resumed."""

    presence_grace: float = 15.0
    """How long its presence members are kept meanwhile, so that a short drop is not seen by others: Ably's value."""

    max_idle_interval: float = 15.0
    """A client that hears nothing for this long (and its own margin) takes the connection for dead."""

    renewal_notice: float = 30.0
    """How long before its token expires a client is asked for a new one; half the token's life if that is less."""

    sync_page: int = 100
    """Presence members in one SYNC message."""
