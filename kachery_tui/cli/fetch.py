"""`load` and `cat`: files by their URIs, from storage if they are there, else from the network."""

import sys
from argparse import Namespace
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kachery_tui.cli.copying import copy, must_be_free, place_for
from kachery_tui.cli.jobs import Event, Job
from kachery_tui.cli.node_work import do, running_node
from kachery_tui.cli.output import emit, say, to_stdout
from kachery_tui.cli.place import Place, find_place
from kachery_tui.cli.stdin import FROM_STDIN, given
from kachery_tui.errors import KacheryError, UsageError
from kachery_tui.protocol.uris import FileUri
from kachery_tui.service.failures import failure_of
from kachery_tui.words import count, size

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from kachery_tui.service.work import Work

PIECE: Final = 1 << 20
"""Bytes read at a time."""

AT_A_GO: Final = 10_000
"""URIs that are read before the first of them is got."""


def load(args: Namespace) -> int:
    """Print the local paths of files, which are got first if need be."""
    if args.uris == [FROM_STDIN] or len(args.uris) > 1:
        return _load_many(args)
    uri = FileUri.parse(args.uris[0])
    target = place_for(uri, args.to)
    if target is not None and not args.force:
        must_be_free(target)
    path = _obtain(args, uri)
    if target is not None:
        path = copy(path, target, force=args.force)
    _print(uri, path, as_json=args.as_json)
    return 0


def cat(args: Namespace) -> int:
    """Write a file's bytes to stdout."""
    path = _obtain(args, FileUri.parse(args.uri))
    with path.open("rb") as opened:
        while piece := opened.read(PIECE):
            with to_stdout():
                sys.stdout.buffer.write(piece)
    with to_stdout():
        sys.stdout.buffer.flush()
    return 0


def _print(uri: FileUri, path: Path, *, as_json: bool) -> None:
    emit(str(path), {"uri": str(uri), "path": str(path), "size": path.stat().st_size}, as_json=as_json)


def _obtain(args: Namespace, uri: FileUri) -> Path:
    """Where the file is, once it is there. Only one that is not in storage makes a node, where none runs."""
    place = find_place(args)
    client = running_node(place)
    if client is None:
        found = _find_here(place, [uri], verify=args.verify)
        if uri in found:
            return found[uri]
        _must_be_on_a_channel(place, uri, args.channel)
    return Path(str(do(place, client, _job(args, [uri]), debug=args.debug)["path"]))


def _find_here(place: Place, uris: Sequence[FileUri], *, verify: bool) -> dict[FileUri, Path]:
    """Those of the files that are in storage, and right.

    Of several, one that cannot be looked for does not keep the others: it is said when it is to be got.
    """
    from kachery_tui.storage.problems import Damaged
    from kachery_tui.storage.storage import Storage

    paths: dict[FileUri, Path] = {}
    storage = Storage.open(place.storage, to_read=True)
    try:
        for uri in uris:
            try:
                found = storage.find_right(uri.sha1, anew=verify)
            except Damaged as error:
                say(f"{error.line}: it is fetched again. {error.do}")
                continue
            except KacheryError:
                if len(uris) == 1:
                    raise
                continue
            if found is not None:
                storage.touch(uri.sha1)
                paths[uri] = found.path
    finally:
        storage.close()
    return paths


def _must_be_on_a_channel(place: Place, uri: FileUri, channel: str | None) -> None:
    if channel is None and not place.channels():
        raise UsageError(
            f"{uri.name or uri.sha1} is not in this node's storage, and it is on no channel to ask on",
            "",
            "Join one: kachery-tui channel join FILE",
        )


def _job(args: Namespace, uris: Sequence[FileUri], *, many: bool = False) -> Job:
    """Getting files, one by itself or many together."""

    def begin(work: "Work") -> "AsyncGenerator[Event, None]":
        from kachery_tui.service.files import load_file
        from kachery_tui.service.many import Many

        if many:
            return Many(work, uris, args.channel, verify=args.verify).run()
        return load_file(work, uris[0], args.channel, verify=args.verify)

    which = {"uris": [str(uri) for uri in uris]} if many else {"uri": str(uris[0])}
    body = {**which, "channel": args.channel, "verify": args.verify}
    return Job("/v1/load", body, begin, args.channel)


# Many at once


def _load_many(args: Namespace) -> int:
    """Get many files, and print their paths in the order in which they were asked for. Failures are told as they come.

    The exit code is 1 if any of them failed.
    """
    if args.to is not None and not args.to.is_dir():
        raise UsageError(f"{args.to} is not a folder", "many files go into one", f"Make it: mkdir {args.to}")
    place = find_place(args)
    loading = _Loading(args)
    for uris in _batches(given(args.uris, "URIs")):
        client = running_node(place)
        found = {} if client is not None else _find_here(place, uris, verify=args.verify)
        loading.begin(uris, found)
        missing = [uri for uri in uris if uri not in found]
        if missing:
            if client is None:
                _must_be_on_a_channel(place, missing[0], args.channel)
            do(place, client, _job(args, missing, many=True), debug=args.debug, take=loading.take)
    return loading.end()


class _Loading:
    """What became of files that are got together."""

    def __init__(self, args: Namespace) -> None:
        self._args = args
        self._waiting: deque[FileUri] = deque()
        self._paths: dict[FileUri, Path | None] = {}
        self._wanted: Counter[FileUri] = Counter()
        self._written: dict[Path, str] = {}
        """Hashes of what was put where by this command."""
        self._failures: Counter[str] = Counter()
        self._advised = {""}
        self._asked = 0
        self._bytes = 0

    def begin(self, uris: Sequence[FileUri], found: Mapping[FileUri, Path]) -> None:
        """So many more, of which some are there already."""
        self._asked += len(uris)
        self._waiting.extend(uris)
        self._wanted = Counter(uris)
        self._paths = {}
        for uri, path in found.items():
            self._got(uri, path)
        self._print_ready()

    def take(self, event: Event) -> None:
        """One of them is there, or cannot be had."""
        if event.get("event") != "file":
            return
        uri = FileUri.parse(str(event["uri"]))
        if "error" in event:
            self._failed(uri, failure_of(event["error"]))
        else:
            self._got(uri, Path(str(event["path"])))
        self._print_ready()

    def end(self) -> int:
        """Say in sum what became of them; the exit code."""
        failed = self._failures.total()
        if failed:
            why = "; ".join(f"{number:,} {what}" for what, number in self._failures.most_common(3))
            say(f"{failed:,} of {count(self._asked, 'file')} failed: {why}")
        elif self._asked > 1:
            say(f"{count(self._asked, 'file')}, {size(self._bytes)}")
        return 1 if failed else 0

    def _got(self, uri: FileUri, path: Path) -> None:
        if uri in self._paths:
            return
        target = place_for(uri, self._args.to)
        try:
            if target is not None:
                if self._written.get(target) == uri.sha1:
                    self._paths[uri] = target
                    return
                if target in self._written:
                    raise UsageError(f"{target} has another file of that name", "", "Get it by itself")
                if not self._args.force:
                    must_be_free(target)
                path = copy(path, target, force=self._args.force)
            self._bytes += path.stat().st_size
        except KacheryError as error:
            self._failed(uri, error)
        except OSError as error:
            self._failed(uri, KacheryError(f"cannot read {path}", error.strerror or str(error)))
        else:
            self._paths[uri] = path
            if target is not None:
                self._written[target] = uri.sha1

    def _failed(self, uri: FileUri, error: KacheryError) -> None:
        if uri in self._paths:
            return
        say(f"kachery-tui: {uri}: {error.line}")
        if error.do not in self._advised:
            self._advised.add(error.do)
            say(f"  {error.do}")
        self._failures[_REASONS.get(error.exit_code, "for another reason")] += self._wanted[uri]
        self._paths[uri] = None

    def _print_ready(self) -> None:
        """Print what is there in the order in which it was asked for."""
        while self._waiting and self._waiting[0] in self._paths:
            uri = self._waiting.popleft()
            path = self._paths[uri]
            if path is not None:
                _print(uri, path, as_json=self._args.as_json)


_REASONS: Final = {
    2: "named wrongly",
    3: "nobody has",
    4: "worth trying again",
    5: "not allowed",
    130: "cancelled",
}


def _batches(words: Iterator[str]) -> Iterator[list[FileUri]]:
    """The files that are named, so many at a time."""
    while some := [FileUri.parse(word.strip()) for word in islice(words, AT_A_GO)]:
        yield some
