"""What stands in the log, also with --debug, may be shown to others."""

import io
import logging
import re
import stat
from collections.abc import Iterator
from contextlib import redirect_stderr, suppress
from pathlib import Path

import botocore.exceptions
import pytest
from botocore.config import Config
from botocore.session import Session

from kachery_tui.cli import logs
from kachery_tui.cli.logs import log_to_stderr
from kachery_tui.cli.output import complain, say
from kachery_tui.errors import TryAgain
from kachery_tui.redacting import redacted

SIGNATURE = re.compile(r"[0-9a-f]{64}")


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """The log as --debug writes it to stderr."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, logging.getLogger("kachery_tui").level
    text = io.StringIO()
    with redirect_stderr(text):
        log_to_stderr(debug=True)
    yield text
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    logging.getLogger("kachery_tui").setLevel(before[2])


def test_the_s3_sdk_tells_no_signature(logged: io.StringIO) -> None:
    client = Session().create_client(
        "s3",
        endpoint_url="http://127.0.0.1:9",
        region_name="us-east-1",
        aws_access_key_id="an-access-key",
        aws_secret_access_key="a-secret-key",
        config=Config(signature_version="s3v4", retries={"max_attempts": 0}),
    )
    url = client.generate_presigned_url("get_object", Params={"Bucket": "b", "Key": "k"})
    with suppress(botocore.exceptions.BotoCoreError):
        client.list_objects_v2(Bucket="b")
    signature = url.rpartition("=")[2]
    assert SIGNATURE.fullmatch(signature)
    assert "botocore" in logged.getvalue()
    assert signature not in logged.getvalue()
    assert "Signature=…" in logged.getvalue()
    assert not re.search(r"ignature\W{1,3}[0-9a-f]{64}", logged.getvalue())
    assert "a-secret-key" not in logged.getvalue()


def test_what_is_logged_commands_no_terminal(logged: io.StringIO) -> None:
    logging.getLogger("kachery_tui.node").warning("eve: %s", "\x1b[2J\x9b \u202e done")
    assert logged.getvalue().strip().isprintable()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "GET http://x/y?a=1&X-Amz-Signature=ab12&X-Amz-Date=2026&b=2",
            "GET http://x/y?a=1&X-Amz-Signature=…&X-Amz-Date=…&b=2",
        ),
        ("ws://x/?accessToken=a.b.c&clientId=d", "ws://x/?accessToken=…&clientId=d"),
        (
            "Authorization: AWS4-HMAC-SHA256 Credential=a/b, Signature=cd",
            "Authorization: AWS4-HMAC-SHA256 …, Signature=…",
        ),
        ("Authorization: Basic YXBwOmtleQ==", "Authorization: Basic …"),
        ("{'Authorization': 'Bearer eyJ.a.b'}", "{'Authorization': 'Bearer …'}"),
        ('{"accessToken":"eyJ.a.b","x":1}', '{"accessToken":"…","x":1}'),
        ("ws://x/?key=app.key:secret&v=2", "ws://x/?key=…&v=2"),
        ("the Signature of this, a Credential", "the Signature of this, a Credential"),
    ],
)
def test_secrets_are_left_out(text: str, shown: str) -> None:
    assert redacted(text) == shown


def test_an_error_in_anothers_words_commands_no_terminal() -> None:
    text = io.StringIO()
    with redirect_stderr(text):
        complain(
            TryAgain("nobody on lab could send it", "eve: \x1b]0;title\x07\x9b2J\u202e", "ask \x7f again")
        )
        say("a note of \x1b[31meve")
    assert all(line.isprintable() for line in text.getvalue().splitlines())
    assert "nobody on lab could send it: eve: " in text.getvalue()


def test_a_log_file_is_private_and_does_not_grow_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "LARGEST_FILE", 2_000)
    root = logging.getLogger()
    before = list(root.handlers)
    logs.log_to_file(tmp_path / "node.log", debug=False)
    (handler,) = [each for each in root.handlers if each not in before]
    try:
        for number in range(400):
            logging.getLogger("kachery_tui").warning("line %d, Authorization: Bearer abc.def.ghi", number)
    finally:
        root.removeHandler(handler)
        handler.close()
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["node.log", "node.log.1", "node.log.2", "node.log.3"]
    assert all(file.stat().st_size <= 2_000 for file in files)
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert "line 399" in files[0].read_text()
