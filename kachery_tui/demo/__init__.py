"""The demo: a hub, two peers and a screen on one machine, and a tour of what happens between them."""
