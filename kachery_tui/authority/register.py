"""The owner's register: members, those who wait, invitations and the ledger of grants, in one SQLite file.

The service has it open, and so may a command of the owner's beside it: each change is one transaction, and `version`
tells the one that the other has changed something. Every method blocks; all of them may be called from any thread.
"""

import hashlib
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from kachery_tui.authority.values import (
    Applicant,
    ChannelRules,
    IssuedCode,
    LedgerLine,
    Member,
    Newcomers,
    What,
)
from kachery_tui.errors import KacheryError, UsageError
from kachery_tui.protocol.roles import Role

REGISTER_FILE: Final = "register.sqlite"
MOST_APPLICANTS: Final = 1_000
"""Those who wait, a channel; more are sent away."""
MOST_LINES: Final = 1_000_000
"""Lines of the ledger that are kept; the oldest go."""
BUSY_SECONDS: Final = 10.0
_FORMAT: Final = 2

_SERVED: Final = "CREATE TABLE served (channel TEXT PRIMARY KEY, url TEXT NOT NULL)"
_TABLES: Final = f"""
{_SERVED};
CREATE TABLE rules (channel TEXT PRIMARY KEY, newcomers TEXT NOT NULL, quota INTEGER);
CREATE TABLE members (
    channel TEXT NOT NULL, node_id TEXT NOT NULL, label TEXT NOT NULL, roles TEXT NOT NULL, since REAL NOT NULL,
    quota INTEGER, generation INTEGER NOT NULL, removed REAL, seen REAL, uploaded INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (channel, node_id)) WITHOUT ROWID;
CREATE TABLE applicants (
    channel TEXT NOT NULL, node_id TEXT NOT NULL, label TEXT NOT NULL, roles TEXT NOT NULL, since REAL NOT NULL,
    PRIMARY KEY (channel, node_id)) WITHOUT ROWID;
CREATE TABLE codes (
    number INTEGER PRIMARY KEY AUTOINCREMENT, channel TEXT NOT NULL, digest BLOB NOT NULL UNIQUE, roles TEXT NOT NULL,
    uses INTEGER NOT NULL, used INTEGER NOT NULL, expires REAL NOT NULL, made REAL NOT NULL, quota INTEGER);
CREATE TABLE ledger (
    number INTEGER PRIMARY KEY AUTOINCREMENT, channel TEXT NOT NULL, at REAL NOT NULL, node_id TEXT NOT NULL,
    what TEXT NOT NULL, object TEXT NOT NULL, size INTEGER NOT NULL);
CREATE INDEX ledger_of ON ledger (channel, node_id, what, at);
"""


class Register:
    """One owner's register, in a folder of his own."""

    def __init__(self, folder: Path, *, make: bool = True) -> None:
        """`make` one where there is none. Raises `KacheryError` where the file cannot be used."""
        self.file = folder / REGISTER_FILE
        self._lock = threading.Lock()
        try:
            if make:
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                self.file.touch(mode=0o600)
            self._database = sqlite3.connect(
                self.file, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            if not make and self.version_of_format == 0:
                self._database.close()
                raise KacheryError(f"{self.file} is no register")
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._create()
        except (OSError, sqlite3.Error) as error:
            raise KacheryError(f"cannot use the register {self.file}", str(error)) from None

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._database.close()

    @property
    def version(self) -> int:
        """Grows when another process has changed something."""
        return int(self._rows("PRAGMA data_version")[0][0])

    @property
    def version_of_format(self) -> int:
        """Of the tables in the file; 0 where there are none of this program's."""
        return int(self._rows("PRAGMA user_version")[0][0])

    # Channels

    def served(self) -> dict[str, str]:
        """The channels that whoever runs on this register serves, or served last, each with its authority's address."""
        return dict(self._rows("SELECT channel, url FROM served ORDER BY channel"))

    def set_served(self, urls: Mapping[str, str]) -> None:
        """Write down which channels are served from now on, and where."""
        if self.served() != dict(urls):
            with self._change() as database:
                database.execute("DELETE FROM served")
                database.executemany("INSERT INTO served VALUES (?, ?)", list(urls.items()))

    # Rules

    def rules(self, channel: str) -> ChannelRules:
        """What holds for all of a channel."""
        found = self._rows("SELECT newcomers, quota FROM rules WHERE channel = ?", channel)
        return ChannelRules(Newcomers(found[0][0]), found[0][1]) if found else ChannelRules()

    def set_rules(self, channel: str, rules: ChannelRules) -> None:
        """Change what holds for all of a channel."""
        with self._change() as database:
            database.execute(
                "INSERT OR REPLACE INTO rules VALUES (?, ?, ?)", (channel, rules.newcomers.value, rules.quota)
            )

    # Members

    def members(self, channel: str) -> dict[str, Member]:
        """All nodes that are or were members, by their ids."""
        rows = self._rows(f"SELECT {_MEMBER} FROM members WHERE channel = ?", channel)  # noqa: S608 - constants
        return {row[0]: _member(row) for row in rows}

    def member(self, channel: str, node_id: str) -> Member | None:
        """One of them."""
        query = f"SELECT {_MEMBER} FROM members WHERE channel = ? AND node_id = ?"  # noqa: S608 - constants
        rows = self._rows(query, channel, node_id)
        return _member(rows[0]) if rows else None

    def put_member(
        self, channel: str, node_id: str, roles: Iterable[Role], *, label: str = "", quota: int | None = None
    ) -> Member:
        """Make a node a member, or change what one may do; whoever waited does so no longer."""
        with self._change() as database:
            self._put(database, channel, node_id, roles, label, quota)
        found = self.member(channel, node_id)
        assert found is not None, "it was written"
        return found

    def remove_member(self, channel: str, node_id: str) -> bool:
        """Throw a node out; whether it was a member."""
        with self._change() as database:
            done = database.execute(
                "UPDATE members SET removed = ?, generation = generation + 1"
                " WHERE channel = ? AND node_id = ? AND removed IS NULL",
                (time.time(), channel, node_id),
            )
            return done.rowcount > 0

    def withdraw_member(self, channel: str, node_id: str) -> None:
        """Take back that a node was let in: it is no member, and may become one as anybody may."""
        with self._change() as database:
            database.execute(
                "UPDATE members SET removed = 0, generation = generation + 1 WHERE channel = ? AND node_id = ?",
                (channel, node_id),
            )

    def set_quota(self, channel: str, node_id: str, quota: int | None) -> None:
        """Change how many bytes a member may upload in a day."""
        with self._change() as database:
            database.execute(
                "UPDATE members SET quota = ? WHERE channel = ? AND node_id = ?", (quota, channel, node_id)
            )

    # Those who wait

    def applicants(self, channel: str) -> list[Applicant]:
        """Those who wait for the owner's word, the oldest first."""
        rows = self._rows(
            "SELECT node_id, label, roles, since FROM applicants WHERE channel = ? ORDER BY since", channel
        )
        return [Applicant(node_id, label, _roles(roles), since) for node_id, label, roles, since in rows]

    def waits(self, channel: str, node_id: str) -> bool:
        """Whether a node waits for the owner's word."""
        query = "SELECT 1 FROM applicants WHERE channel = ? AND node_id = ?"
        return bool(self._rows(query, channel, node_id))

    def apply(self, channel: str, node_id: str, label: str, roles: Iterable[Role]) -> bool:
        """Let a node wait for the owner's word; False where too many do already."""
        with self._change() as database:
            count = database.execute(
                "SELECT COUNT(*) FROM applicants WHERE channel = ? AND node_id <> ?", (channel, node_id)
            ).fetchone()[0]
            if count >= MOST_APPLICANTS:
                return False
            database.execute(
                "INSERT INTO applicants VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET label = excluded.label, roles = excluded.roles",
                (channel, node_id, label, _text(roles), time.time()),
            )
            return True

    def decline(self, channel: str, node_id: str) -> bool:
        """Send one away who waits; whether he did."""
        with self._change() as database:
            done = database.execute(
                "DELETE FROM applicants WHERE channel = ? AND node_id = ?", (channel, node_id)
            )
            return done.rowcount > 0

    # Invitations

    def invite(
        self, channel: str, roles: Iterable[Role], *, uses: int, seconds: float, quota: int | None = None
    ) -> str:
        """A new code that lets so many in for so long. It is told this once: only its hash is kept."""
        if uses < 1 or seconds <= 0:
            raise UsageError("an invitation that lets nobody in", do="at least one use, and some time")
        code = secrets.token_urlsafe(16)
        now = time.time()
        with self._change() as database:
            database.execute(
                "INSERT INTO codes (channel, digest, roles, uses, used, expires, made, quota)"
                " VALUES (?, ?, ?, ?, 0, ?, ?, ?)",
                (channel, _digest(code), _text(roles), uses, now + seconds, now, quota),
            )
        return code

    def codes(self, channel: str) -> list[IssuedCode]:
        """The invitations of a channel, the newest first."""
        rows = self._rows(
            f"SELECT {_CODE} FROM codes WHERE channel = ? ORDER BY number DESC",  # noqa: S608 - constants
            channel,
        )
        return [_code(row) for row in rows]

    def code(self, channel: str, code: str) -> IssuedCode | None:
        """The invitation of a code, None if there is none that still lets somebody in."""
        query = f"SELECT {_CODE} FROM codes WHERE channel = ? AND digest = ?"  # noqa: S608 - constants
        rows = self._rows(query, channel, _digest(code))
        found = _code(rows[0]) if rows else None
        return found if found is not None and found.is_good(time.time()) else None

    def revoke(self, channel: str, number: int) -> bool:
        """Take an invitation back; whether there was one."""
        with self._change() as database:
            done = database.execute("DELETE FROM codes WHERE channel = ? AND number = ?", (channel, number))
            return done.rowcount > 0

    def use_code(self, channel: str, code: str, node_id: str, label: str) -> Member | None:
        """Let a node in by a code; None if the code lets nobody in any more, or not one that was thrown out.

        Who is a member already keeps what it has, and gets the code's roles besides.
        """
        now = time.time()
        with self._change() as database:
            found = database.execute(
                f"SELECT {_CODE} FROM codes WHERE channel = ? AND digest = ?",  # noqa: S608 - constants
                (channel, _digest(code)),
            ).fetchone()
            if found is None or not (issued := _code(found)).is_good(now):
                return None
            row = database.execute(
                "SELECT roles, removed FROM members WHERE channel = ? AND node_id = ?", (channel, node_id)
            ).fetchone()
            if row is not None and row[1]:
                return None
            before = _roles(row[0]) if row and row[1] is None else frozenset()
            database.execute("UPDATE codes SET used = used + 1 WHERE number = ?", (issued.number,))
            self._put(database, channel, node_id, issued.roles | before, label, issued.quota)
        return self.member(channel, node_id)

    # The ledger

    def write_lines(self, channel: str, lines: Sequence[LedgerLine]) -> None:
        """Add lines, whose numbers are given here, and what follows from them for the members."""
        with self._change() as database:
            database.executemany(
                "INSERT INTO ledger (channel, at, node_id, what, object, size) VALUES (?, ?, ?, ?, ?, ?)",
                [(channel, line.at, line.node_id, line.what.value, line.object, line.size) for line in lines],
            )
            database.executemany(
                "UPDATE members SET seen = MAX(COALESCE(seen, 0), ?), uploaded = uploaded + ?"
                " WHERE channel = ? AND node_id = ?",
                [(line.at, line.counted, channel, line.node_id) for line in lines],
            )
            database.execute(
                "DELETE FROM ledger WHERE number <= (SELECT MAX(number) FROM ledger) - ?", (MOST_LINES,)
            )

    def lines(self, channel: str, *, limit: int = 1_000, node_id: str | None = None) -> list[LedgerLine]:
        """The newest lines of a channel, newest first."""
        rows = self._rows(
            "SELECT number, at, node_id, what, object, size FROM ledger"
            " WHERE channel = ? AND (? IS NULL OR node_id = ?) ORDER BY number DESC LIMIT ?",
            *(channel, node_id, node_id, limit),
        )
        return [LedgerLine(row[0], row[1], row[2], What(row[3]), row[4], row[5]) for row in rows]

    def uploaded_since(self, channel: str, node_id: str, since: float) -> int:
        """Bytes for which a node was granted uploads since a Unix time, without those that never came."""
        rows = self._rows(
            "SELECT what, SUM(size) FROM ledger"
            " WHERE channel = ? AND node_id = ? AND what IN (?, ?) AND at >= ? GROUP BY what",
            *(channel, node_id, What.UPLOAD.value, What.NOT_UPLOADED.value, since),
        )
        sizes = dict(rows)
        return int(sizes.get(What.UPLOAD.value, 0) - sizes.get(What.NOT_UPLOADED.value, 0))

    # Beneath

    def _create(self) -> None:
        with self._change() as database:
            found = database.execute("PRAGMA user_version").fetchone()[0]
            if found == _FORMAT:
                return
            if found not in (0, 1):
                raise KacheryError(
                    f"the register {self.file} is of another version", f"format {found}", "Update kachery-tui"
                )
            for statement in _TABLES.split(";") if found == 0 else (_SERVED,):
                database.execute(statement)
            database.execute(f"PRAGMA user_version = {_FORMAT}")

    @staticmethod
    def _put(
        database: sqlite3.Connection,
        channel: str,
        node_id: str,
        roles: Iterable[Role],
        label: str,
        quota: int | None,
    ) -> None:
        database.execute(
            "INSERT INTO members (channel, node_id, label, roles, since, quota, generation)"
            " VALUES (?, ?, ?, ?, ?, ?, 1) ON CONFLICT DO UPDATE SET roles = excluded.roles, removed = NULL,"
            " generation = generation + 1, quota = COALESCE(excluded.quota, quota),"
            " label = CASE excluded.label WHEN '' THEN label ELSE excluded.label END",
            (channel, node_id, label, _text(roles), time.time(), quota),
        )
        database.execute("DELETE FROM applicants WHERE channel = ? AND node_id = ?", (channel, node_id))

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it happens, or nothing."""
        with self._lock, self._failing():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self._lock, self._failing():
            return self._database.execute(query, values).fetchall()

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise KacheryError(f"the register {self.file} cannot be used", str(error)) from error


_MEMBER: Final = "node_id, label, roles, since, quota, generation, removed, seen, uploaded"
_CODE: Final = "number, roles, uses, used, expires, made, quota"


def _member(row: tuple[Any, ...]) -> Member:
    node_id, label, roles, *rest = row
    return Member(node_id, label, _roles(roles), *rest)


def _code(row: tuple[Any, ...]) -> IssuedCode:
    number, roles, *rest = row
    return IssuedCode(number, _roles(roles), *rest)


def _roles(text: str) -> frozenset[Role]:
    return frozenset(role for role in Role if role.value in text.split())


def _text(roles: Iterable[Role]) -> str:
    return " ".join(sorted(role.value for role in set(roles)))


def _digest(code: str) -> bytes:
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).digest()
