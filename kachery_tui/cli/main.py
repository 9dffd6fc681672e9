"""The entry: from arguments to an exit code, and the one place where errors become text."""

import gc
import os
import sys
import traceback
from argparse import Namespace
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Final, NoReturn

from kachery_tui.cli.output import StdoutFailed, complain, flush, mend_standard_streams, say
from kachery_tui.cli.parser import parse
from kachery_tui.cli.signals import Terminated, signals_raised
from kachery_tui.errors import KacheryError
from kachery_tui.redacting import redacted

EXIT_FAILED: Final = 1
EXIT_INTERRUPTED: Final = 130
EXIT_READER_GONE: Final = 141
"""What a shell reports of a program that SIGPIPE ended: its reader had enough."""

OBJECTS_BETWEEN_COLLECTIONS: Final = 20_000
"""How many new objects make Python look for garbage among the youngest. Importing a screen's modules makes 90,000 objects
that stay: at Python's own 700 (2,000 since 3.13), looking through them again and again is a tenth of the start."""


def run() -> NoReturn:
    """The console script."""
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS, *gc.get_threshold()[1:])
    sys.exit(main(sys.argv[1:]))


def main(arguments: Sequence[str]) -> int:
    """Run one command line; its exit code. `--help` and misuse raise argparse's SystemExit."""
    mend_standard_streams()
    args = parse(arguments)
    try:
        with signals_raised():
            code = _handler(args.run)(args)
            flush()
    except KacheryError as error:
        if isinstance(error, StdoutFailed):
            _forget_stdout()
        complain(error)
        return error.exit_code
    except BrokenPipeError:
        _forget_stdout()
        return EXIT_READER_GONE
    except Terminated as signalled:
        return 128 + signalled.signal
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last resort: a person sees a sentence, not a traceback
        return _crashed(error, debug=args.debug)
    return code


def _forget_stdout() -> None:
    """Throw away what was not printed: the interpreter flushes once more on its way out, which must not fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _handler(name: str) -> Callable[[Namespace], int]:
    module, _, function = name.partition(":")
    handler: Callable[[Namespace], int] = getattr(import_module(f"kachery_tui.cli.{module}"), function)
    return handler


def _crashed(error: Exception, *, debug: bool) -> int:
    if debug:
        say(redacted("".join(traceback.format_exception(error))), end="")
    detail = redacted(str(error)) or "no details"
    hint = "" if debug else "\n  run it again with --debug to see where"
    say(f"kachery-tui: a defect of this program: {type(error).__name__}: {detail}{hint}")
    return EXIT_FAILED
