"""`feed …`: own feeds from the command line, and reading those of others over a real hub."""

import json
import os
import pty
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.cli.commands import PATIENCE, PROGRAM, Shell, finish, read_line, wait_until
from tests.nodes import join_by_file


@pytest.fixture
def ana(tmp_path: Path) -> Shell:
    """Somebody on no channel."""
    shell = Shell(tmp_path / "ana")
    shell.ok("init", "--label", "ana")
    return shell


@pytest.fixture
def ben(tmp_path: Path, hub: Path) -> Shell:
    """Somebody who reads feeds, and does not wait long."""
    shell = Shell(tmp_path / "ben")
    shell.ok("init", "--label", "ben")
    join_by_file(shell.config, hub, roles=["request-feeds"], limits={"answer_timeout": 3})
    return shell


def pipe(shell: Shell, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command with that on stdin."""
    return subprocess.run(
        [*PROGRAM, *arguments],
        env=shell.environment,
        cwd=shell.folder,
        input=text,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_an_own_feed(ana: Shell) -> None:
    uri = ana.ok("feed", "create", "losses").line
    assert uri.startswith("feed://")
    assert ana.ok("feed", "append", "losses", '{"n": 1.0}', '{"é": "\\ud800"}').stdout.split() == ["0", "1"]
    assert ana.ok("feed", "append", f"{uri}/a%20b", "{}", "--json").values == [
        {"uri": f"{uri}/a%20b", "number": 0}
    ]
    assert ana.ok("feed", "cat", uri).stdout.splitlines() == ['{"n":1}', '{"é":"\\ud800"}']
    (signed,) = ana.ok("feed", "cat", uri, "--signed", "--from", "-1").values
    assert signed["body"]["messageNumber"] == 1
    found = {each["uri"]: each for each in ana.ok("feed", "list", "--json").values}
    assert found[f"{uri}/messages"] == {
        "uri": f"{uri}/messages",
        "name": "losses",
        "own": True,
        "followed": False,
        "messages": 2,
    }
    assert found[f"{uri}/a%20b"]["messages"] == 1
    (info,) = ana.ok("feed", "info", uri, "--json").values
    assert (info["messages"], info["own"], info["fault"], info["name"]) == (2, True, None, "losses")


def test_lines_from_a_pipe(ana: Shell) -> None:
    ana.ok("feed", "create", "log")
    lines = "\n".join(json.dumps({"n": n, "text": "x" * 1000}) for n in range(300))
    done = pipe(ana, f"\n{lines}\n\n", "feed", "append", "log")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(n) for n in range(300)]
    assert [value["n"] for value in ana.ok("feed", "cat", "log").values] == list(range(300))


def test_a_line_that_is_no_message_is_told_and_passed_over(ana: Shell) -> None:
    ana.ok("feed", "create", "log")
    deep = '{"a":' * 300 + "1" + "}" * 300
    bad = [
        "nope",
        '{"n": 18446744073709551615}',
        '{"n": 1e400}',
        '{"n": 1, "n": 2}',
        '{"n": NaN}',
        "[1]",
        deep,
    ]
    lines = ['{"n": 0}', *bad, '{"n": 1}', "{" + " " * 10_000_001, '{"n": 2}']
    done = pipe(ana, "\n".join(lines), "feed", "append", "log")
    assert (done.returncode, done.stdout.split()) == (1, ["0", "1", "2"])
    for number in (*range(2, 9), 10):
        assert f"line {number} cannot be appended" in done.stderr
    assert "18446744073709551615 would be rounded: write it as a text" in done.stderr
    assert "8 lines not appended" in done.stderr
    assert [value["n"] for value in ana.ok("feed", "cat", "log").values] == [0, 1, 2]


def test_by_strict_the_first_line_that_is_no_message_ends_it(ana: Shell) -> None:
    ana.ok("feed", "create", "log")
    done = pipe(ana, '{"n": 300}\nnope\n{"n": 301}', "feed", "append", "log", "--strict")
    assert (done.returncode, done.stdout) == (2, "0\n")
    assert "line 2 cannot be appended" in done.stderr


def test_a_pipe_that_stays_open_is_appended_as_it_comes(ana: Shell) -> None:
    ana.ok("feed", "create", "log")
    process = subprocess.Popen(
        [*PROGRAM, "feed", "append", "log"],
        env=ana.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    for number in range(3):
        process.stdin.write(b'{"n": 1}\n')
        process.stdin.flush()
        assert read_line(process) == str(number)
    process.kill()
    process.communicate(timeout=PATIENCE)
    assert len(ana.ok("feed", "cat", "log").values) == 3


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("append", "log", "[1]"), 2, "it must be an object"),
        (("append", "log", "{"), 2, "argument 1 cannot be appended"),
        (("append", "nope", "{}"), 2, "no feed 'nope' here"),
        (("append", "feed://" + "ab" * 32, "{}"), 5, "it is another's"),
        (("append", "feed://xyz", "{}"), 2, "feed id"),
        (("create", "log"), 2, "already"),
        (("create", " log"), 2, "cannot be a feed's name"),
        (("delete", "log/messages"), 2, "as a whole"),
        (("delete", "feed://" + "ab" * 32), 2, "no feed"),
        (("delete", "log"), 2, "private key"),
        (("cat", "feed://" + "ab" * 32), 3, "on no channel"),
        (("info", "feed://" + "ab" * 32), 3, "on no channel"),
    ],
)
def test_what_cannot_be(ana: Shell, arguments: tuple[str, ...], code: int, words: str) -> None:
    ana.ok("feed", "create", "log")
    done = ana.run("feed", *arguments)
    assert done.code == code, done.stderr
    assert words in done.stderr
    assert not done.stdout


def test_delete(ana: Shell) -> None:
    first, second = ana.ok("feed", "create", "first").line, ana.ok("feed", "create").line
    ana.ok("feed", "append", "first", "{}")
    ana.ok("feed", "append", second, "{}")
    ana.ok("feed", "delete", "first", "--yes")
    assert [each["uri"] for each in ana.ok("feed", "list", "--json").values] == [f"{second}/messages"]
    assert ana.run("feed", "append", first, "{}").code == 5
    assert ana.ok("feed", "create", "first").line != first


@pytest.mark.parametrize(("answer", "code"), [(b"yes\n", 0), (b"no\n", 2)])
def test_a_person_is_asked_before_a_feed_goes(ana: Shell, answer: bytes, code: int) -> None:
    ana.ok("feed", "create", "log")
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, "feed", "delete", "log"], env=ana.environment, stdin=follower, stderr=follower
    )
    os.close(follower)
    seen = b""
    while b"Type yes:" not in seen:
        seen += os.read(leader, 1000)
    os.write(leader, answer)
    assert process.wait(PATIENCE) == code
    os.close(leader)
    assert len(ana.ok("feed", "list", "--json").values) == (0 if code == 0 else 1)


def test_what_an_owner_wrote_does_nothing_to_a_terminal(ana: Shell) -> None:
    """Into a pipe it goes as it is; on a terminal it means the same, and nothing in it is obeyed."""
    wrote = {"text": "\x9b2J \x7f \u202e gpj.exe \U000e0001 größe"}
    ana.ok("feed", "create", "log")
    ana.ok("feed", "append", "log", json.dumps(wrote))
    assert "\x9b2J \x7f \u202e gpj.exe" in ana.ok("feed", "cat", "log").stdout
    shown = on_a_terminal(ana, "feed", "cat", "log")
    assert json.loads(shown) == wrote
    assert shown.strip().isprintable()
    assert "größe" in shown


def test_a_name_does_nothing_to_a_terminal(ana: Shell) -> None:
    (ana.folder / "evil\u202egpj.exe").write_bytes(b"x")
    assert "\u202e" in ana.ok("store", "evil\u202egpj.exe").stdout
    assert on_a_terminal(ana, "store", "evil\u202egpj.exe").strip().isprintable()


def on_a_terminal(shell: Shell, *arguments: str) -> str:
    """What a command writes where stdout is a terminal."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, *arguments], env=shell.environment, cwd=shell.folder, stdout=follower
    )
    os.close(follower)
    seen = b""
    with suppress(OSError):
        while piece := os.read(leader, 10_000):
            seen += piece
    assert process.wait(PATIENCE) == 0
    os.close(leader)
    return seen.decode()


def test_read_and_follow_over_a_hub(ana: Shell, ben: Shell, hub: Path) -> None:
    join_by_file(ana.config, hub, roles=["provide-feeds"])
    uri = ana.ok("feed", "create", "log").line
    ana.ok("feed", "append", "log", '{"n": 0}')
    nothing = ben.run("feed", "cat", uri)
    assert nothing.code == 3
    assert "nothing of" in nothing.stderr
    log = (ana.folder / "node.log").open("wb")
    node = subprocess.Popen([*PROGRAM, "node"], env=ana.environment, stderr=log)
    try:
        wait_until(lambda: "channel lab: connected" in (ana.folder / "node.log").read_text())
        assert ben.ok("feed", "cat", uri).values == [{"n": 0}]
        following = subprocess.Popen(
            [*PROGRAM, "feed", "cat", uri, "--follow"],
            env=ben.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert read_line(following) == '{"n":0}'
        for number in range(1, 4):
            ana.ok("feed", "append", "log", json.dumps({"n": number}))
            assert read_line(following) == f'{{"n":{number}}}'
        code, stderr = finish(following, signal.SIGINT)
        assert (code, "Traceback" in stderr) == (130, False)
    finally:
        node.terminate()
        assert node.wait(PATIENCE) == 0
        log.close()
    # What was followed is here, the owner or not.
    assert [value["n"] for value in ben.ok("feed", "cat", uri).values] == [0, 1, 2, 3]
    (info,) = ben.ok("feed", "info", uri, "--json").values
    assert (info["messages"], info["own"], info["fault"]) == (4, False, None)
    assert info["bucket"]["lab"] >= 1
    (kept,) = ben.ok("feed", "list", "--json").values
    assert kept["messages"] == 4
