"""`channel invite`, `members`, `grant`, `remove`, …: what a channel's owner does, on the machine where its register is."""
