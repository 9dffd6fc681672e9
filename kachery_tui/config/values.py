"""Every setting, typed and with its default."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from kachery_tui.protocol.roles import Role
from kachery_tui.protocol.task_messages import TaskFunctionType


class Provide(StrEnum):
    """What happens when another node requests something that is here."""

    AUTO = "auto"
    ASK = "ask"


@dataclass(frozen=True, slots=True)
class ScreenConfig:
    """How the screen looks, and what it does."""

    theme: str | None = None
    """One of Textual's names; None for the default."""
    read_only: bool = False
    """Whether it only shows, and refuses what would change anything."""
    mouse: bool = True
    """Whether clicks and the wheel are asked of the terminal; without, they select text as anywhere else."""
    ascii: bool = False
    """Whether its own signs are ASCII, for terminals and fonts that have no others."""
    bell: bool = False
    """Whether the terminal's bell rings when somebody waits for an answer."""
    fps: int | None = None
    """Frames painted in a second, at most; None lets the screen decide."""


@dataclass(frozen=True, slots=True)
class TaskConfig:
    """`[tasks."function id"]` of `config.toml`: a function that this node computes for others.

    It is either `function`, "package.module:name" of Python, or `command`, a program with its arguments.
    """

    function_id: str
    type: TaskFunctionType
    channels: tuple[str, ...]
    """The channels on which it is offered, and on no other."""
    function: str = ""
    command: tuple[str, ...] = ()
    path: Path | None = None
    """The folder in which it runs, and from which its module is imported; None for the settings folder."""
    at_once: int = 1
    """How many tasks of it run at a time; more wait."""
    timeout: float = 600.0
    """Seconds that one task may take."""
    memory: int = 4_000_000_000
    """Bytes that a process of it may allocate."""
    max_result: int = 10_000_000
    """Bytes of the largest result, as JSON."""


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """`config.toml`: the node itself. `folder` is where it lies; `storage` is None where the default is to be used.

    `keys` are the screen's keys that the person changed, by the ids of actions. The screen knows which actions and keys
    there are, and checks them.
    """

    folder: Path
    label: str
    owner: str = ""
    storage: Path | None = None
    screen: ScreenConfig = field(default_factory=ScreenConfig)
    keys: Mapping[str, str] = field(default_factory=dict, hash=False)
    tasks: tuple[TaskConfig, ...] = ()
    """The functions that it computes for others."""


@dataclass(frozen=True, slots=True)
class PubSubConfig:
    """How to reach a channel's pub-sub service.

    `key` is an Ably key, `app.key:secret`; `endpoint` is `host:port` of another server than Ably's own.
    """

    key: str = field(repr=False)
    endpoint: str | None = None
    tls: bool = True


@dataclass(frozen=True, slots=True)
class BucketConfig:
    """How to reach a channel's bucket.

    Without `endpoint` it is AWS S3. `access_key` and `secret_key` come in a pair; `profile` names one of the AWS
    profiles instead; with neither, the AWS credential chain is asked. `public_url` is where objects are read without any.
    """

    name: str
    endpoint: str | None = None
    region: str | None = None
    access_key: str | None = None
    secret_key: str | None = field(default=None, repr=False)
    profile: str | None = None
    public_url: str | None = None
    path_style: bool = False


@dataclass(frozen=True, slots=True)
class LimitsConfig:
    """How long to wait, how much at once, and how large."""

    answer_timeout: float = 30.0
    """Seconds from asking until somebody says that it has the file."""
    progress_timeout: float = 60.0
    """Seconds between two signs of life of one who has it."""
    uploads: int = 3
    """Uploads at once."""
    upload_rate: int = 0
    """Bytes a second that all uploads together may take, those of feeds among them; 0: no limit."""
    chunks: int = 4
    """Chunks of one file fetched at once."""
    max_file_size: int = 1_000_000_000_000
    """Bytes of the largest file that is fetched."""
    requests_per_second: float = 1_000.0
    """Messages a second that one peer may send; bursts of five seconds' worth are let through."""


@dataclass(frozen=True, slots=True)
class OwnerConfig:
    """Where a channel's owner has what he needs to manage it."""

    register: Path
    """The folder of the register of its members."""


@dataclass(frozen=True, slots=True)
class ChannelConfig:
    """`channels/<name>.toml`: one channel. `roles` are asked for, `granted` is what the channel's owner allows.

    With `authority`, the base URL of the owner's service, that one says what is granted, and `pubsub` and `bucket` say
    nothing: it hands out what they would hold.
    """

    file: Path
    name: str
    roles: frozenset[Role]
    pubsub: PubSubConfig
    bucket: BucketConfig
    granted: frozenset[Role] = frozenset(Role)
    authority: str | None = None
    owner: OwnerConfig | None = None
    """For the owner of a channel that has members: None for others, and where the channel has none but its owner."""
    provide: Provide = Provide.AUTO
    limits: LimitsConfig = field(default_factory=LimitsConfig)
