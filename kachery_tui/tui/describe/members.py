"""What is said of a channel's register: members, those who ask to be one, and invitations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kachery_tui.authority.values import KEY_PREFIX, Applicant, IssuedCode, Member, What
from kachery_tui.filters import FieldKind
from kachery_tui.protocol.roles import REQUEST_ROLES, Role
from kachery_tui.tui import present
from kachery_tui.tui.cells import BLANK, Cell, Line, Tone, joined
from kachery_tui.tui.here import RegisterRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from kachery_tui.authority.owner import RegisterView
    from kachery_tui.authority.values import LedgerLine
    from kachery_tui.filters import Fact
    from kachery_tui.tui.here import RegisterEntry

FIELDS: Final[Mapping[str, FieldKind]] = {
    "state": FieldKind.CHOICE,
    "who": FieldKind.TEXT,
    "role": FieldKind.TEXT,
    "node": FieldKind.TEXT,
    "seen": FieldKind.TIME,
    "uploaded": FieldKind.SIZE,
}

_WORD: Final = 10
"""Cells of the word that heads a line."""


def register_rows(channel: str, view: RegisterView, now: float) -> list[RegisterRow]:
    """Who waits for an answer, members, invitations that still let somebody in, those who were thrown out.

    Who was thrown out and waits again, waits.
    """
    waiting = {applicant.node_id for applicant in view.applicants}
    entries: list[RegisterEntry] = [
        *view.applicants,
        *(member for member in view.members if member.removed is None),
        *(code for code in view.codes if code.is_good(now)),
        *(one for one in view.members if one.removed is not None and one.node_id not in waiting),
    ]
    return [RegisterRow(channel, entry) for entry in entries]


def entry_facts(entry: RegisterEntry) -> Mapping[str, Fact]:
    """What a filter looks at."""
    roles = " ".join(sorted(entry.roles))
    match entry:
        case Member():
            state = "member" if entry.removed is None else "out"
            return {
                "state": state,
                "who": entry.label,
                "node": entry.node_id,
                "role": roles if entry.removed is None else "",
                "seen": entry.seen,
                "uploaded": entry.uploaded,
            }
        case Applicant():
            return {"state": "asks", "who": entry.label, "node": entry.node_id, "role": roles}
        case IssuedCode():
            return {"state": "invitation", "who": name_of(entry), "role": roles}


def name_of(entry: RegisterEntry) -> str:
    """What an entry is called: its label, without one the start of its id; an invitation by its number."""
    if isinstance(entry, IssuedCode):
        return f"invitation {entry.number}"
    return entry.label or present.short(entry.node_id)


def roles_words(roles: frozenset[Role]) -> str:
    """Roles in few words: "request files, feeds · provide files", "request+provide files"."""
    if roles == frozenset(Role):
        return "all roles"
    request, provide = (
        ", ".join(role.partition("-")[2] for role in Role if role in found)
        for found in (roles & REQUEST_ROLES, roles - REQUEST_ROLES)
    )
    if request == provide:
        return f"request+provide {request}" if request else "no role"
    return " · ".join(
        f"{side} {kinds}" for side, kinds in (("request", request), ("provide", provide)) if kinds
    )


def members_words(view: RegisterView, now: float) -> Line:
    """How many there are."""
    members = sum(1 for one in view.members if one.removed is None)
    parts: list[Line] = [(Cell(present.count(members, "member")),)]
    if view.applicants:
        asks = present.count(len(view.applicants), "asks", "ask")
        parts.insert(0, (Cell(f"{asks} to join", Tone.WARN),))
    if invitations := sum(1 for code in view.codes if code.is_good(now)):
        parts.append((Cell(f"{present.count(invitations, 'invitation')} open"),))
    return joined(parts)


def entry_cells(row: RegisterRow, now: float) -> Line:
    """An entry of the list: who, what it may do, when it was last seen, how much it uploaded, since when."""
    entry = row.entry
    match entry:
        case Member(removed=float() as removed):
            out = f"removed {present.last(removed, now)}"
            return Cell(name_of(entry), Tone.MUTED), Cell(out, Tone.MUTED), BLANK, BLANK, BLANK
        case Member():
            key = Cell(" (key)", Tone.MUTED) if entry.node_id.startswith(KEY_PREFIX) else BLANK
            return (
                Cell(f"{name_of(entry)}{key.text}", Tone.STRONG),
                Cell(roles_words(entry.roles), Tone.NORMAL if entry.roles else Tone.MUTED),
                Cell(present.last(entry.seen, now)),
                Cell(present.size(entry.uploaded) if entry.uploaded else present.NOTHING),
                Cell(present.day(entry.since, now)),
            )
        case Applicant():
            asks = f"! asks to {roles_words(entry.roles)}"
            return Cell(name_of(entry), Tone.WARN), Cell(asks, Tone.WARN), BLANK, BLANK, BLANK
        case IssuedCode():
            left = present.count(entry.uses - entry.used, "node")
            return (
                Cell(name_of(entry), Tone.MUTED),
                Cell(f"{left} until {present.day(entry.expires, now)}: {roles_words(entry.roles)}"),
                BLANK,
                BLANK,
                BLANK,
            )


def entry_about(row: RegisterRow, key_of: Callable[[str], str], now: float) -> Line:
    """The chosen entry in a sentence, and which key does what."""
    entry = row.entry
    roles, remove = Cell(key_of("role"), Tone.STRONG), Cell(key_of("throw-out"), Tone.STRONG)
    match entry:
        case Member(removed=float()):
            return (
                Cell(f"{name_of(entry)} ({entry.node_id}) was a member. "),
                roles,
                Cell(" makes it one again"),
            )
        case Member():
            quota = f", of {present.size(entry.quota)} a day" if entry.quota is not None else ""
            return (
                Cell(f"{name_of(entry)} ({entry.node_id}) may {roles_words(entry.roles)}; "),
                Cell(f"uploaded {present.size(entry.uploaded)}{quota}; "),
                roles,
                Cell(" changes its roles, "),
                remove,
                Cell(" removes it"),
            )
        case Applicant():
            return (
                Cell(f"! {name_of(entry)} asks", Tone.WARN),
                Cell(f" ({entry.node_id}), to {roles_words(entry.roles)}; "),
                roles,
                Cell(" lets it in, "),
                remove,
                Cell(" turns it away"),
            )
        case IssuedCode():
            return (
                Cell(f"{name_of(entry)} lets {present.count(entry.uses - entry.used, 'node')} more in, "),
                Cell(f"to {roles_words(entry.roles)}, until {present.moment(entry.expires)}. "),
                remove,
                Cell(" revokes it"),
            )


def entry_lines(entry: RegisterEntry, ledger: Sequence[LedgerLine]) -> Iterator[Line]:
    """All that is known of an entry, and its newest grants."""
    if not isinstance(entry, IssuedCode):
        yield _headed("key" if entry.node_id.startswith(KEY_PREFIX) else "node", entry.node_id)
    yield _headed("asks for" if isinstance(entry, Applicant) else "may", roles_words(entry.roles))
    match entry:
        case Member():
            if entry.removed is not None:
                yield _headed("out", f"removed {present.moment(entry.removed)}", Tone.WARN)
            seen = "never" if entry.seen is None else present.moment(entry.seen)
            yield _headed("seen", seen)
            yield _headed("member", f"since {present.moment(entry.since)}")
            quota = "no limit of its own" if entry.quota is None else f"{present.size(entry.quota)} a day"
            yield _headed("uploaded", f"{present.size(entry.uploaded)} in all; {quota}")
        case Applicant():
            yield _headed("waits", f"since {present.moment(entry.since)}")
        case IssuedCode():
            yield _headed("used", f"{entry.used} of {present.count(entry.uses, 'time')}")
            yield _headed("good", f"until {present.moment(entry.expires)}")
    if ledger:
        yield (BLANK,)
    for line in ledger:
        size = f", {present.size(line.size)}" if line.object else ""
        tone = Tone.MUTED if line.what is What.TOKEN else Tone.NORMAL
        yield (
            Cell(f"{present.moment(line.at)}  ", Tone.MUTED),
            Cell(f"{line.what:<12}  ", tone),
            Cell(f"{line.object}{size}", tone),
        )


def asks_words(channel: str, applicants: Sequence[Applicant], key: str) -> str:
    """That somebody asks to join, for a notice; `key` goes there."""
    first, *others = applicants
    more = f", and {present.count(len(others), 'other asks', 'others ask')}" if others else ""
    return f"! {name_of(first)} asks to join {channel}, to {roles_words(first.roles)}{more}; {key} goes there"


def _headed(word: str, text: str, tone: Tone = Tone.NORMAL) -> Line:
    return (Cell(word.ljust(_WORD), Tone.MUTED), Cell(text, tone))
