"""The screen: panes over the node's state, keys, and nothing of the protocol.

Importing anything below this package settles how Textual paints, which it reads from the environment once, when it is
imported itself: no animation, and every frame at once. What of it is sent when is the driver's to decide.
"""

import os
from typing import Final

OVER_SSH: Final = "SSH_CONNECTION" in os.environ

FRAMES_PER_SECOND: Final = 10 if OVER_SSH else 30
"""The most that is sent; people read no faster, and a slow line carries no more."""

LOOKS_PER_SECOND: Final = 4 if OVER_SSH else 8
"""How often the screen looks at the node by itself. A key is answered at once, whatever this is."""

os.environ.setdefault("TEXTUAL_FPS", "60")
os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
