"""The screen: panes over the node's state, keys, and nothing of the protocol.

Importing anything below this package settles how Textual paints, which it reads from the environment once, when it is
imported itself: no animation, and every frame at once. What of it is sent when is the driver's to decide.
"""

import os

os.environ.setdefault("TEXTUAL_FPS", "60")
os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
