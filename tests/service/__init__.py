"""The node as a service: its socket, its calls, and the commands that use them."""
