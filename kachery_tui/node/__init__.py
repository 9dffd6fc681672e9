"""What a node does: join channels, request, provide. The only floor where a channel and a storage folder meet."""
