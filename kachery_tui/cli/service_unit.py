"""`service …`: the node as a service of the user's, which the system starts: a unit of systemd, or an agent of launchd.

Sources: systemd.service(5), systemd.syntax(7) for quoting; launchd.plist(5).
"""

import os
import plistlib
import re
import shutil
import subprocess
import sys
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kachery_tui.cli.detached import LOG_NAME, must_not_run, node_command
from kachery_tui.cli.node_work import running_node
from kachery_tui.cli.output import emit, say
from kachery_tui.cli.place import Place, find_place
from kachery_tui.config.channels import channels_folder, variables_of
from kachery_tui.config.reading import write_private
from kachery_tui.errors import KacheryError, UsageError

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,60}")

PATIENCE: Final = 30.0
"""Seconds that the system's own command may take."""

_UNIT: Final = """\
[Unit]
Description=kachery-tui node {label}

[Service]
ExecStart={command}
# The node lets go of its channels and files when it is told to end.
KillMode=mixed
TimeoutStopSec=60
Restart=on-failure
RestartSec=30
# Settings that make no sense do not get better by themselves.
RestartPreventExitStatus=2

[Install]
WantedBy=default.target
"""


@dataclass(frozen=True, slots=True)
class Service:
    """The node of some settings as a service: where its description lies, what stands there, and the commands that start
    and end it."""

    file: Path
    data: bytes
    start: Sequence[Sequence[str]]
    end: Sequence[Sequence[str]]


def install(args: Namespace) -> int:
    """Write the description of the service, and have the system start it; or say how."""
    place = find_place(args)
    service = _service(args, place)
    if args.only_print:
        emit(service.data.decode().rstrip("\n"), {"text": service.data.decode()}, as_json=args.as_json)
        return 0
    _must_be_ours(service, place, args.name)
    must_not_run(running_node(place))
    service.file.parent.mkdir(parents=True, exist_ok=True)
    write_private(service.file, service.data)
    emit(str(service.file), {"file": str(service.file)}, as_json=args.as_json)
    _warn_of_variables(place)
    if not _done(service.start):
        return 1
    say("the node runs now, and from each login on")
    if sys.platform == "linux" and not _lingers():
        say("To have it run from the start of the machine on, logged in or not: loginctl enable-linger")
    return 0


def remove(args: Namespace) -> int:
    """End the service, and take its description away."""
    place = find_place(args)
    service = _service(args, place)
    if not service.file.exists():
        raise UsageError(f"there is no service {service.file}", "", "--name NAME tells another one")
    _must_be_ours(service, place, args.name)
    ended = _done(service.end)
    service.file.unlink()
    say(f"removed {service.file}")
    return 0 if ended else 1


def _service(args: Namespace, place: Place) -> Service:
    if args.name is not None and not NAME.fullmatch(args.name):
        raise UsageError(f"{args.name!r} is no name of a service", "", "Letters, digits, _, . and - would do")
    name = "kachery-tui" if args.name is None else f"kachery-tui-{args.name}"
    command = node_command(place, group=args.group)
    if sys.platform == "darwin":
        return _of_launchd(name, command, place)
    if not shutil.which("systemctl") and not args.only_print:
        line = " ".join(_quoted(word) for word in command)
        raise KacheryError(
            "this system has no systemd",
            "",
            f"Have its own service manager, or `@reboot` in a crontab, run: {line}",
        )
    folder = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    text = _UNIT.format(
        label=place.config.label.replace("%", "%%"), command=" ".join(_quoted(word) for word in command)
    )
    control = ("systemctl", "--user")
    return Service(
        folder / "systemd" / "user" / f"{name}.service",
        text.encode(),
        ((*control, "daemon-reload"), (*control, "enable", "--now", name)),
        ((*control, "disable", "--now", name),),
    )


def _of_launchd(name: str, command: list[str], place: Place) -> Service:
    label = f"org.kachery.{name}"
    file = Path.home() / "Library" / "LaunchAgents" / f"{label}.plist"
    log = place.folder.absolute() / LOG_NAME
    value = {
        "Label": label,
        "ProgramArguments": [*command, "--log", str(log)],
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": 30,
        "ExitTimeOut": 60,
    }
    domain = f"gui/{os.getuid()}"
    return Service(
        file,
        plistlib.dumps(value),
        (("launchctl", "bootstrap", domain, str(file)),),
        (("launchctl", "bootout", f"{domain}/{label}"),),
    )


def _quoted(word: str) -> str:
    """A word as systemd reads it back."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'


def _must_be_ours(service: Service, place: Place, name: str | None) -> None:
    """See that nothing is overwritten but an older description of the same. Raises `UsageError`."""
    try:
        there = service.file.read_bytes()
    except FileNotFoundError:
        return
    except OSError as error:
        raise KacheryError(f"cannot read {service.file}", error.strerror or str(error)) from None
    if str(place.folder.absolute()) not in _words_of(there):
        other = "--name NAME" if name is None else "another --name"
        raise UsageError(
            f"{service.file} is there already", "it is for other settings", f"Give this one {other}"
        )


def _words_of(data: bytes) -> list[str]:
    """The words of the command in the description of a service of ours; none in any other."""
    if sys.platform == "darwin":
        try:
            words = plistlib.loads(data)["ProgramArguments"]
        except (plistlib.InvalidFileException, KeyError, TypeError, ValueError):
            return []
        return [str(word) for word in words]
    lines = [line for line in data.decode("utf-8", "replace").splitlines() if line.startswith("ExecStart=")]
    quoted = re.findall(r'"((?:[^"\\]|\\.)*)"', lines[0]) if lines else []
    return [
        re.sub(r"\\(.)|(%)%|([$])[$]", lambda match: "".join(filter(None, match.groups())), word)
        for word in quoted
    ]


def _warn_of_variables(place: Place) -> None:
    """A service has none of the variables of this shell."""
    names = {
        name
        for file in sorted(channels_folder(place.folder).glob("*.toml"))
        for name in variables_of(file).values()
    }
    if names:
        say(
            f"channel files read {', '.join(sorted(names))} from the environment, which a service does not have"
        )
        say("Set them for it, with systemd: systemctl --user edit, [Service], Environment=NAME=VALUE")


def _done(commands: Sequence[Sequence[str]]) -> bool:
    """Whether the system did all of that; else it is said what it answered, and what is left to do."""
    for number, command in enumerate(commands):
        try:
            done = subprocess.run(
                command,
                check=False,
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
                timeout=PATIENCE,
            )
            trouble = "" if done.returncode == 0 else done.stderr.strip() or f"exit code {done.returncode}"
        except (OSError, subprocess.TimeoutExpired) as error:
            trouble = str(error)
        if trouble:
            say(f"kachery-tui: {' '.join(command)}: {trouble}")
            left = " && ".join(" ".join(one) for one in commands[number:])
            say(f"  Once that works (in a login of your own, not by su or sudo): {left}")
            return False
    return True


def _lingers() -> bool:
    """Whether the user's services run also while he is not logged in."""
    try:
        user = Path(f"/var/lib/systemd/linger/{os.environ.get('USER') or Path.home().name}")
        return user.exists()
    except OSError:
        return False
