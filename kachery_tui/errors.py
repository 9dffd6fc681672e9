"""The one family of errors that a person gets to read.

Whatever fails for a reason outside this program is raised as one of these, on whatever floor it is noticed.
Each says what failed, why, and what would help; each knows the exit code that the command line ends with.
Anything else that escapes is a defect of ours.

    KacheryError (1)
    ├── UsageError (2)        the caller's words or settings are off
    ├── NobodyHasIt (3)       looked everywhere, asked everyone
    ├── TryAgain (4)          a passing trouble: the same call may succeed later
    └── NotAllowed (5)        a role, a grant or a permission is missing
"""

from typing import ClassVar


class KacheryError(Exception):
    """Something failed for a reason that a person can act on.

    `what` names the thing that failed, `why` the reason, `do` what would help; each is a sentence or a part
    of one, without a full stop. `why` and `do` may be empty.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, why: str = "", do: str = "") -> None:
        super().__init__(what, why, do)
        self.what = what
        self.why = why
        self.do = do

    @property
    def line(self) -> str:
        """What failed, and why."""
        return f"{self.what}: {self.why}" if self.why else self.what

    def __str__(self) -> str:
        return f"{self.line}. {self.do}." if self.do else self.line


class UsageError(KacheryError):
    """The caller's words, a URI or a setting are not of the form they must have."""

    exit_code = 2


class NobodyHasIt(KacheryError):
    """Neither this node's storage, nor the bucket, nor any node that answered has it."""

    exit_code = 3


class TryAgain(KacheryError):
    """A service or the network failed in a way that may pass."""

    exit_code = 4


class NotAllowed(KacheryError):
    """A role, a grant or a file permission is missing."""

    exit_code = 5
