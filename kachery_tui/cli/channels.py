"""`channel join`, `list`, `leave` and `roles`: all of it is about channel files."""

from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path

from kachery_tui.cli.node_work import has_reread_channels
from kachery_tui.cli.output import emit, is_confirmed, say
from kachery_tui.cli.setup import describe_roles
from kachery_tui.config import (
    ChannelConfig,
    ForeignVariables,
    Provide,
    check_variables,
    config_folder,
    install_channel,
    load_channel,
    load_channels,
    save_roles,
    variables_of,
)
from kachery_tui.errors import KacheryError, UsageError
from kachery_tui.protocol.invitations import is_invitation
from kachery_tui.protocol.roles import Role


def join(args: Namespace) -> int:
    """Say what a channel will use and reach, write its file into the settings folder, and print where it is now."""
    if is_invitation(args.source):
        # With it comes what `channel list` need not wait for.
        from kachery_tui.cli.invitations import join_by_invitation

        return join_by_invitation(args)
    source = Path(args.source)
    allowed = set(args.allow_env)
    try:
        check_variables(source, allowed)
    except ForeignVariables as foreign:
        _tell(foreign)
        if not is_confirmed("Let it read them? Type yes: "):
            raise
        allowed.update(foreign.names)
    wanted = load_channel(source)
    for line in _uses(wanted, variables_of(source)):
        say(line)
    file = install_channel(config_folder(args.config), source, args.roles, allowed=allowed)
    channel = load_channel(file)
    emit(str(file), _value(channel), as_json=args.as_json)
    say(f"joined {channel.name}: {_describe(channel)}")
    if not channel.roles:
        say(f"Ask for roles: kachery-tui channel roles {channel.name} +request-files")
    if has_reread_channels(args):
        say("The running node has joined.")
    return 0


def _tell(foreign: ForeignVariables) -> None:
    say(f"{foreign.line}.")


def _uses(channel: ChannelConfig, variables: Mapping[str, str]) -> list[str]:
    """What a channel file makes a node use and reach, in words."""
    if channel.authority:
        return [f"channel   {channel.name}, from {channel.file}", f"reaches   {channel.authority}"]
    pubsub, bucket = channel.pubsub, channel.bucket
    named = {setting: f"${name}" for setting, name in variables.items()}
    crypt = "" if pubsub.tls else ", not encrypted"
    if bucket.profile is not None:
        keys = f"with the AWS profile {bucket.profile!r} of this machine"
    elif bucket.access_key is not None:
        found = [named[key] for key in ("bucket.access_key_env", "bucket.secret_key_env") if key in named]
        keys = f"with keys from {' and '.join(found)}" if found else "with keys of the file's own"
    elif bucket.public_url is not None:
        keys = "without keys"
    else:
        keys = "with whatever AWS credentials this machine has"
    key = (
        f"with the key in {named['pubsub.key_env']}"
        if "pubsub.key_env" in named
        else "with a key of the file's own"
    )
    return [
        f"channel   {channel.name}, from {channel.file}",
        f"pub-sub   {pubsub.endpoint or 'Ably'}{crypt}, {key}",
        f"bucket    {bucket.name} at {bucket.endpoint or 'AWS S3'}, {keys}",
        *([f"reads     from {bucket.public_url}"] if bucket.public_url else []),
        f"provides  {'by itself what others ask for' if channel.provide is Provide.AUTO else 'what you say yes to'}",
        "owner     you hold this channel's keys: who has the file is its owner, and may do anything there",
        *([f"members   in {channel.owner.register}, on the hub's machine"] if channel.owner else []),
    ]


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
    has_reread_channels(args)
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
        has_reread_channels(args)
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
