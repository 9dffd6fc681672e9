"""The kachery network as values and pure functions: no I/O, no clock, no asyncio."""
