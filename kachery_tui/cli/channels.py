"""`channel join`, `list`, `leave` and `roles`: all of it is about channel files."""

from argparse import Namespace

from kachery_tui.cli.output import emit, say
from kachery_tui.cli.setup import describe_roles
from kachery_tui.config import (
    ChannelConfig,
    config_folder,
    install_channel,
    load_channel,
    load_channels,
    save_roles,
)
from kachery_tui.errors import KacheryError, UsageError
from kachery_tui.protocol.roles import Role


def join(args: Namespace) -> int:
    """Copy a channel file into the settings folder, and print where it is now."""
    file = install_channel(config_folder(args.config), args.file, args.roles)
    channel = load_channel(file)
    emit(str(file), _value(channel), as_json=args.as_json)
    say(f"joined {channel.name}: {_describe(channel)}")
    if not channel.roles:
        say(f"Ask for roles: kachery-tui channel roles {channel.name} +request-files")
    say("A node that is running with this configuration joins within a few seconds.")
    return 0


def list_(args: Namespace) -> int:
    """Print the channels; those whose files do not hold are complained of, and make the exit code 2."""
    loaded = load_channels(config_folder(args.config))
    for channel in loaded.channels:
        emit(f"{channel.name}\t{_describe(channel)}", _value(channel), as_json=args.as_json)
    if loaded.errors:
        raise loaded.errors[0]
    if not loaded.channels:
        say("this node is on no channel: join one with `kachery-tui channel join FILE`")
    return 0


def leave(args: Namespace) -> int:
    """Remove a channel's file."""
    channel = _find(args)
    try:
        channel.file.unlink()
    except OSError as error:
        raise KacheryError(f"cannot remove {channel.file}", error.strerror or str(error)) from None
    emit(str(channel.file), _value(channel), as_json=args.as_json)
    say(f"left {channel.name}; its file is removed")
    return 0


def roles(args: Namespace) -> int:
    """Ask for roles and drop them, and print those that are asked for now."""
    channel = _find(args)
    asked = set(channel.roles)
    for sign, role in args.changes:
        (asked.add if sign == "+" else asked.discard)(role)
    if asked != channel.roles:
        save_roles(channel.file, frozenset(asked))
        channel = load_channel(channel.file)
    for role in Role:
        if role in channel.roles - channel.granted:
            say(f"{role} is asked for, but {channel.name} does not grant it")
    emit("\n".join(sorted(channel.roles)), _value(channel), as_json=args.as_json)
    return 0


def _find(args: Namespace) -> ChannelConfig:
    """The channel of that name. Files of other channels that do not hold are none of its business."""
    folder = config_folder(args.config)
    loaded = load_channels(folder)
    for channel in loaded.channels:
        if channel.name == args.name:
            return channel
    if loaded.errors:
        raise loaded.errors[0]
    joined = ", ".join(channel.name for channel in loaded.channels) or "none"
    raise UsageError(f"no channel {args.name!r}", f"joined in {folder}: {joined}")


def _describe(channel: ChannelConfig) -> str:
    return describe_roles(sorted(channel.roles), sorted(channel.granted))


def _value(channel: ChannelConfig) -> dict[str, object]:
    return {
        "name": channel.name,
        "file": str(channel.file),
        "asked": sorted(channel.roles),
        "granted": sorted(channel.granted),
        "provide": channel.provide,
    }
