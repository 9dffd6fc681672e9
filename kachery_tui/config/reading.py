"""Settings files: what is wrong in one is said with the file, the key, what was found and what would do."""

import os
import stat
import tomllib
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Final

from kachery_tui.errors import KacheryError, NotAllowed, UsageError
from kachery_tui.printable import printable
from kachery_tui.whole_files import temporary_beside

LARGEST_FILE: Final = 100_000
"""Bytes; a settings file has a few hundred."""

MOST_DOTS: Final = 100
"""Dots in one line. Of a key with thousands of parts the parser compares every part with every other."""

MOST_PROBLEMS: Final = 100
"""Things that are said of one file; whoever has mended these asks again."""

_KINDS: Final[Mapping[type, str]] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    list: "a list",
    dict: "a table",
}


class ConfigError(UsageError):
    """A setting that cannot be used. `key` is its dotted name, empty where the file as a whole is meant."""

    def __init__(self, file: Path, key: str, found: str, would_do: str) -> None:
        super().__init__(f"{file}: `{_shown_key(key)}`" if key else str(file), f"found {found}", would_do)
        self.file = file
        self.key = key
        self.found = found
        self.would_do = would_do


def read_text(file: Path) -> str:
    """The file's text. Raises `ConfigError` when it is not there, not readable, or not text."""
    try:
        with file.open("rb") as opened:
            data = opened.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise ConfigError(file, "", "no such file", "Check the path") from None
    except IsADirectoryError:
        raise ConfigError(file, "", "a folder", "Name a TOML file") from None
    except OSError as error:
        found = f"a file that cannot be read ({error.strerror})"
        raise ConfigError(file, "", found, "Check its permissions") from None
    if len(data) > LARGEST_FILE:
        raise ConfigError(file, "", f"more than {LARGEST_FILE} bytes", "Name a TOML file of settings")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        found = f"text that is not UTF-8 at byte {error.start}"
        raise ConfigError(file, "", found, "Save it as UTF-8") from None


def parse_toml(file: Path, text: str) -> dict[str, Any]:
    """The values in `text`, which `file` holds. Raises `ConfigError` when it is not TOML."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.count(".") > MOST_DOTS:
            found = f"more than {MOST_DOTS} dots in line {number}"
            raise ConfigError(file, "", found, "Name a TOML file of settings")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ConfigError(file, "", "lists nested too deeply", "Name a TOML file of settings") from None
    except ValueError as error:
        # Besides its own error, the parser lets out those of dates and of integers that do not exist.
        found = f"text that is not TOML ({error})"
        raise ConfigError(file, "", found, "Mend the line that is named") from None


def read_toml(file: Path) -> dict[str, Any]:
    """The file's contents. Raises `ConfigError` when it is not there, not readable, or not TOML."""
    return parse_toml(file, read_text(file))


def write_private(file: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Write a settings file whole or not at all. Raises `KacheryError` when that fails, `NotAllowed` if for permissions.

    A link stays one: what it points to is written.
    """
    try:
        target = file.resolve()
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with temporary_beside(target, 0o600) as (descriptor, temporary):
            os.fchmod(descriptor, mode)
            with open(descriptor, "wb", closefd=False) as opened:
                opened.write(data)
            os.fsync(descriptor)
            temporary.replace(target)
    except PermissionError:
        raise NotAllowed(f"cannot write {file}", "permission denied", "Check the folder's mode") from None
    except (OSError, RuntimeError) as error:
        # RuntimeError is what a loop of links gives.
        why = getattr(error, "strerror", None) or str(error)
        raise KacheryError(f"cannot write {file}", why, "Check the folder and its free space") from None


def mode_of(file: Path) -> int:
    """The permission bits of a file. Raises `KacheryError`."""
    try:
        return stat.S_IMODE(file.stat().st_mode)
    except OSError as error:
        raise KacheryError(f"cannot read {file}", error.strerror or str(error)) from None


class Table:
    """One table of a TOML file, read key by key.

    What is wrong is collected, so that all of it can be said at once: a setting that is refused reads as its default,
    and `settle` raises in the end. A key that no setting has is refused at once where `keys` says which there are, so
    that a slip of the pen is named rather than the setting that it hides; else by `close`, when all settings have been
    asked for.
    """

    def __init__(
        self, file: Path, values: Mapping[str, Any], prefix: str = "", keys: Collection[str] | None = None
    ) -> None:
        self.file = file
        self.problems: list[ConfigError] = []
        self._values = values
        self._prefix = prefix
        self._known: set[str] = set(keys or ())
        if keys is not None:
            self.close()

    def close(self) -> None:
        """Refuse keys that no setting has."""
        for key in self._values:
            if len(self.problems) >= MOST_PROBLEMS:
                return
            if key not in self._known:
                would_do = nearest(key, self._known) or f"Known here: {', '.join(sorted(self._known))}"
                self.refuse(key, "a key that does not exist", would_do)

    def settle(self) -> None:
        """Raise the first `ConfigError`, if anything was refused in this table or in one inside."""
        if self.problems:
            raise self.problems[0]

    def refuse(self, key: str, found: str, would_do: str) -> None:
        """Collect what is wrong with `key`; of one key, what is found first is what counts."""
        self._collect(ConfigError(self.file, self._prefix + key, found, would_do))

    def has(self, key: str) -> bool:
        """Whether the file gives `key`."""
        self._known.add(key)
        return key in self._values

    def table(self, key: str, keys: Collection[str] | None = None) -> "Table":
        """A table inside; an empty one where the file has none."""
        value = self._get(key, {})
        if not isinstance(value, dict):
            self.refuse(key, describe(value), f"A table, [{self._prefix}{key}], would do")
            value = {}
        inner = Table(self.file, value, f"{self._prefix}{key}.", keys)
        self.problems += inner.problems
        inner.problems = self.problems
        return inner

    def text(
        self, key: str, default: str | None, would_do: str, is_valid: Callable[[str], bool] = bool
    ) -> str | None:
        """A text that `is_valid` accepts (by default: one that is not empty)."""
        value = self._get(key, default)
        if value is not default and (not isinstance(value, str) or not is_valid(value)):
            self.refuse(key, describe(value), would_do)
            return default
        return value

    def needed(self, key: str, would_do: str, is_valid: Callable[[str], bool] = bool) -> str:
        """A text that must be there."""
        value = self.text(key, None, would_do, is_valid)
        if value is None:
            self.refuse(key, "nothing", would_do)
        return value or ""

    def flag(self, key: str, *, default: bool) -> bool:
        """true or false."""
        value = self._get(key, default)
        if not isinstance(value, bool):
            self.refuse(key, describe(value), "true or false would do")
            return default
        return value

    def number(self, key: str, default: float, low: float, high: float) -> float:
        """A number from `low` to `high`."""
        value = self._get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            self.refuse(key, describe(value), f"A number from {low:g} to {high:g} would do")
            return default
        return float(value)

    def integer(self, key: str, default: int, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""
        value = self._get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.refuse(key, describe(value), f"A whole number from {low} to {high} would do")
            return default
        return value

    def texts(self, key: str, default: list[str], would_do: str) -> list[str]:
        """A list of texts."""
        value = self._get(key, default)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.refuse(key, describe(value), would_do)
            return default
        return value

    def names(self) -> list[str]:
        """The keys that the file gives, all of which are taken for known."""
        self._known.update(self._values)
        return list(self._values)

    def holds_tables(self, key: str, *, but: Collection[str]) -> bool:
        """Whether `key` is a table of tables alone, none of them called as one of `but`."""
        value = self._values.get(key)
        return (
            isinstance(value, dict)
            and bool(value)
            and not set(value) & set(but)
            and all(isinstance(each, dict) for each in value.values())
        )

    def path(self, key: str, folder: Path) -> Path | None:
        """A path; a relative one is relative to `folder`, in which the file is."""
        would_do = "The path of a folder would do"
        text = self.text(key, None, would_do, lambda text: bool(text) and "\0" not in text)
        if text is None:
            return None
        try:
            path = Path(text).expanduser()
        except RuntimeError:
            self.refuse(key, f"{text!r}, in which ~ is nobody's home", would_do)
            return None
        return path if path.is_absolute() else folder / path

    def mapping(
        self, key: str, would_do: str, is_valid: Callable[[str], bool] = bool, *, secret: bool = False
    ) -> Mapping[str, str]:
        """A table inside, of keys that the caller knows nothing about, each with a text that `is_valid` accepts.

        No error quotes a text that is `secret`.
        """
        inner = self.table(key)
        texts = {}
        for name, value in inner._values.items():
            if isinstance(value, str) and is_valid(value):
                texts[name] = value
            else:
                inner.refuse(
                    name, f"{kind_of(value)} of another form" if secret else describe(value), would_do
                )
        return texts

    def secret(self, key: str, would_do: str, is_valid: Callable[[str], bool] = bool) -> str | None:
        """A text that is nobody else's business: in the file itself, or in the environment variable `<key>_env` names.

        One that stands in the file makes a file that others can read an error. No error quotes it.
        """
        named = self.text(f"{key}_env", None, "The name of an environment variable would do", _is_variable)
        if self.has(key):
            if named is not None:
                self.refuse(key, f"both `{key}` and `{key}_env`", "One of them would do")
            try:
                check_private(self.file, self._prefix + key)
            except ConfigError as error:
                self._collect(error)
            value = self._values[key]
            if not isinstance(value, str) or not is_valid(value):
                self.refuse(key, f"{kind_of(value)} of another form", would_do)
                return None
            return value
        if named is None:
            return None
        value = os.environ.get(named, "")
        if not value:
            found = f"{named!r}, a variable that is not set"
            self.refuse(f"{key}_env", found, f"Set it: export {named}=…")
            return None
        if not is_valid(value):
            self.refuse(f"{key}_env", f"{named!r}, a variable with a text of another form", would_do)
            return None
        return value

    def _get(self, key: str, default: object) -> Any:
        self._known.add(key)
        return self._values.get(key, default)

    def _collect(self, error: ConfigError) -> None:
        # What is in a table that is none, or in a setting that was refused already, follows from that.
        is_known = any(f"{error.key}.".startswith(f"{known.key}.") for known in self.problems)
        if not is_known and len(self.problems) < MOST_PROBLEMS:
            self.problems.append(error)


def check_private(file: Path, key: str) -> None:
    """Raise `ConfigError` when others than the owner may read a file that holds a secret."""
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
    except OSError as error:
        found = f"a file that cannot be read ({error.strerror})"
        raise ConfigError(file, "", found, "Check its permissions") from None
    if mode & 0o077:
        found = f"a secret in a file that others can read (mode {mode:04o})"
        raise ConfigError(file, key, found, f"Run: chmod 600 {file}")


def nearest(word: str, known: Collection[str]) -> str:
    """A question that names the known word that `word` may be meant for; empty where none is like it."""
    from difflib import get_close_matches

    near = get_close_matches(word[:80], sorted(known), 1)
    return f"Did you mean `{near[0]}`?" if near else ""


def kind_of(value: object) -> str:
    """What kind of value was found, in words."""
    return _KINDS.get(type(value), f"a {type(value).__name__}")


def describe(value: object) -> str:
    """What was found, in words."""
    kind = kind_of(value)
    if isinstance(value, dict):
        return kind
    try:
        shown = repr(value)
    except ValueError:
        # Python refuses to print an integer of thousands of digits, also one within a list.
        shown = hex(value) if isinstance(value, int) else "…"
    # A list may be as long as its file.
    return f"{shown[:80]} ({kind})"


def _shown_key(key: str) -> str:
    # A quoted key may have any characters, of any number, also those that a terminal obeys.
    return printable(key[:80])


def _is_variable(text: str) -> bool:
    return text.isidentifier()
