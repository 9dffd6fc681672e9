"""A pub-sub service that the Ably SDKs take for Ably's: its realtime protocol over WebSockets."""
