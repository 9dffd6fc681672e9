"""A channel's owner as a service: who is a member, and what each member is granted."""
