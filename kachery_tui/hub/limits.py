"""How much of everything the hub takes, so that no client can take the hub down."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds and times. Times in seconds, sizes in bytes."""

    message_size: int = 65_536
    """Of one published frame's messages: what the service gives a free account."""
    frame_size: int = 524_288
    """Of one frame from a client. Well above `message_size`, so that what is merely too large is answered, not cut."""
    connections: int = 500
    """Alive or resumable, at once."""
    channels_per_connection: int = 200
    members_per_channel: int = 500
    members_per_connection: int = 200
    messages_per_frame: int = 1000
    outbox_size: int = 8_000_000
    """Waiting for one slow client; over it, the client is cut off and may resume."""
    outbox_frames: int = 20_000
    history_size: int = 128_000_000
    """Of all that was said lately on all channels together, kept for those who resume."""
    history_messages: int = 100_000
    history_age: float = 120.0
    connection_ttl: float = 120.0
    """A dropped connection can be resumed for so long."""
    presence_grace: float = 15.0
    """After a drop its members leave. The service takes as long."""
    idle_interval: float = 15.0
    """At least one frame in this time, so that a client notices a dead connection."""
    token_notice: float = 30.0
    """Before a token's end the client is asked for a new one (a third of the token's life, if that is less)."""
