"""Names that people pass on."""

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kachery_tui.protocol.errors import ProtocolError
from kachery_tui.protocol.messages import FileKey
from kachery_tui.protocol.objects import file_object, subfeed_object, task_result_object
from kachery_tui.protocol.uris import LONGEST_URI, FileUri, SubfeedUri, names_data, subfeed_hash, words_in
from tests.protocol.strategies import ANY_TEXT, NODE_ID, hexadecimal

SHA1 = "943a702d06f34599aee1f8da8ef9f7296031d699"
OTHER = "5220809d23aa2a8e8d67c22f6c102a60a23d145d"
FEED = "c9d4a6d0542f9b86b77d24cb1e8851f040183171b775eb89532382a3a79d6af0"


@given(hexadecimal(40), st.none() | ANY_TEXT, st.none() | hexadecimal(40))
@example(SHA1, "Bildschirmfoto\u202f2026.png", None)
@example(SHA1, "a?b\n\u2028c\x9b", None)
@example(SHA1, "a/b c#d&e=f%20", OTHER)
@example(SHA1, "undecodable \udcff", None)
def test_every_file_uri_that_is_printed_can_be_read(
    sha1: str, name: str | None, manifest: str | None
) -> None:
    printed = str(FileUri(sha1, name, manifest))
    assert printed.encode()
    assert len(printed.splitlines()) == 1
    read = FileUri.parse(printed)
    assert (read.sha1, read.manifest_sha1) == (sha1, manifest)
    assert str(read) == printed


@given(NODE_ID, st.none() | st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=40))
def test_every_feed_uri_reads_as_it_was_written(feed_id: str, name: str | None) -> None:
    uri = SubfeedUri(feed_id, name or None)
    assert SubfeedUri.parse(str(uri)) == uri


@given(ANY_TEXT)
@example("sha1://" + SHA1 + "?manifest=" + "\ud800")
def test_any_garbage_is_refused(text: str) -> None:
    for parse in (FileUri.parse, SubfeedUri.parse):
        for prefix in ("", "sha1://", "feed://", f"feed://{FEED}/", f"sha1://{SHA1}?manifest="):
            try:
                parse(prefix + text)
            except ProtocolError as error:
                str(error).encode()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "begins with sha1://"),
        ("file.txt", "begins with sha1://"),
        ("/home/me/file.txt", "begins with sha1://"),
        ("md5://" + SHA1, "begins with sha1://"),
        ("sha1:/" + SHA1, "begins with sha1://"),
        ("SHA1://" + SHA1, "scheme must be lower case"),
        ("sha1://" + SHA1.upper(), f"lower case. Write it as {SHA1}"),
        ("sha1://" + SHA1[:-1], "39 digits, and 40 are needed. Was it cut off"),
        ("sha1://" + SHA1 + "0", "41 digits, and 40 are needed"),
        ("sha1://", "0 digits"),
        ("sha1:///file.txt", "0 digits"),
        ("sha1://" + SHA1[:-1] + "g", "not hexadecimal"),
        (f"sha1://{SHA1}/x\ty", "control characters"),
        (f"sha1://{SHA1}/x\x1b[31m", "control characters"),
        (f"sha1://{SHA1}/x?manifest=", "the manifest's hash has 0 digits"),
        (f"sha1://{SHA1}?manifest={OTHER[:-2]}", "the manifest's hash has 38 digits"),
        (f"sha1://{SHA1}?manifest={OTHER.upper()}", "the manifest's hash must be in lower case"),
        (f"sha1://{SHA1}/{'x' * LONGEST_URI}", "characters, and 4096 are allowed"),
    ],
)
def test_a_wrong_file_uri_says_what_is_wrong(text: str, why: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        FileUri.parse(text)
    assert why in str(caught.value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("sha1://" + SHA1, "begins with feed://"),
        ("feed://" + FEED.upper(), "64 lower-case"),
        ("feed://" + FEED[:-1] + "/primes", "64 lower-case"),
        (f"feed://{FEED}/%ff", "not UTF-8"),
        (f"feed://{FEED}/a\nb", "control characters"),
        (f"feed://{FEED}/{'x' * LONGEST_URI}", "characters, and 4096 are allowed"),
    ],
)
def test_a_wrong_feed_uri_says_what_is_wrong(text: str, why: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        SubfeedUri.parse(text)
    assert why in str(caught.value)


def test_parts_of_a_file_uri() -> None:
    uri = FileUri.parse(f"  sha1://{SHA1}/dir/file.txt?manifest={OTHER}&color=red\n")
    assert uri == FileUri(SHA1, "dir/file.txt", OTHER)
    assert uri.file_key == FileKey(SHA1, OTHER)
    assert FileUri.parse(f"sha1://{SHA1}") == FileUri.parse(f"sha1://{SHA1}/") == FileUri(SHA1)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (f"kachery:lab:sha1:{SHA1}", FileUri(SHA1)),
        (f"kachery:lab:sha1:{SHA1}:a%20b%2Fc.txt", FileUri(SHA1, "a b/c.txt")),
        # What `store_file_local` gives: no zone has it.
        (f"kachery::sha1:{SHA1}:a.txt", FileUri(SHA1, "a.txt")),
        (f"kachery:default:sha1:{SHA1}:a:b", FileUri(SHA1, "a:b")),
        (f"sha1://{SHA1}?label=a%20b.txt", FileUri(SHA1, "a b.txt")),
        (f"sha1://{SHA1}?label=", FileUri(SHA1)),
        (f"sha1://{SHA1}/own?label=other", FileUri(SHA1, "own")),
    ],
)
def test_what_the_living_client_writes(text: str, read: FileUri) -> None:
    assert FileUri.parse(text) == read
    assert names_data(text)


@pytest.mark.parametrize(
    "text", ["kachery://host:1/lab#code", "kachery:lab:md5:x", f"kachery:a/b:sha1:{SHA1}", "kachery:"]
)
def test_what_begins_like_that_and_is_no_file(text: str) -> None:
    assert not names_data(text)
    with pytest.raises(ProtocolError):
        FileUri.parse(text)


def test_parts_of_a_feed_uri() -> None:
    assert SubfeedUri.parse(f"feed://{FEED}/curation%20actions").subfeed_name == "curation actions"
    assert SubfeedUri.parse(f"feed://{FEED}").subfeed_hash is None
    by_hash = SubfeedUri.parse(f"feed://{FEED}/~{SHA1}")
    assert by_hash.subfeed_hash == SHA1
    assert str(by_hash) == f"feed://{FEED}/~{SHA1}"
    assert subfeed_hash("~" + SHA1[:-1]) != SHA1[:-1]


def test_names_of_objects() -> None:
    assert file_object("lab", SHA1) == f"lab/sha1/94/3a/70/{SHA1}"
    assert subfeed_object("lab", FEED, SHA1, "subfeed.json") == (
        f"lab/feeds/c9/d4/a6/{FEED}/subfeeds/94/3a/70/{SHA1}/subfeed.json"
    )
    assert task_result_object("lab", SHA1) == f"lab/task_results/94/3a/70/{SHA1}"


@given(st.text(max_size=20))
def test_a_name_comes_through_a_uri_and_through_a_text(name: str) -> None:
    uri = FileUri("ab" * 20, name, "cd" * 20)
    for whole in (uri, replace(uri, manifest_sha1=None)):
        for text in (str(whole), f"\n  {whole}\t"):
            read = FileUri.parse(text)
            assert len(read.name or "") == len(name)
            assert str(read) == str(whole)
            assert all(a == b or b == "_" for a, b in zip(name, read.name or "", strict=True))


def test_a_wide_space_is_a_letter_of_a_name() -> None:
    for name in ("x\u3000", "\u3000x", "a\u3000b"):
        for manifest in ("", f"?manifest={'cd' * 20}"):
            text = f"sha1://{'ab' * 20}/{name}{manifest}"
            assert FileUri.parse(text).name == name
            assert str(FileUri.parse(text)) == text
            assert words_in(f" {text}\n{text}") == [text, text]
