"""One channel's shared resources: pub-sub (Ably), the bucket (S3), and the grants that both need.

The SDKs are imported when a channel is first used, in a thread, never by importing this package.
"""
