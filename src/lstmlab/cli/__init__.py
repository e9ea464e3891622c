"""The commands. Importing this imports neither torch nor anything that does, so that --help answers at once."""

import errno
import os
import re
import sys
from contextlib import suppress
from typing import Annotated, Any, TextIO

import typer

from lstmlab.errors import InputError

app = typer.Typer(
    name="lstmlab",
    help="The laboratory for recurrent sequence models: from raw text or numbers to a trained LSTM, its scores beside "
    "honest baselines, its pictures and a report, in one command. Start with: lstmlab train sine",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Words = Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Settings, by any unambiguous tail.")]


def _version(wanted: bool | None) -> None:
    if wanted:
        from importlib import metadata

        typer.echo(f"lstmlab {metadata.version('lstmlab')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool | None, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = None,
) -> None:
    pass


def main() -> None:
    """Run a command; what a person can mend ends with one message and status 2."""
    # Each adds its commands.
    from lstmlab.cli import cells, chat, compare, data, doctor, explore, handin, learn, notebooks, use  # noqa: F401
    from lstmlab.cli.console import tell

    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that has no … shows \\u2026 instead of failing
            stream.reconfigure(errors="backslashreplace")
    try:
        status = _run(sys.argv[1:])
        sys.stdout.flush()
    except InputError as error:
        tell(f"lstmlab: {error}", sys.stderr)
        status = 2
    except (KeyboardInterrupt, typer.Abort):
        tell("\nlstmlab: stopped", sys.stderr)
        status = 130
    except BrokenPipeError:
        _hush(sys.stdout)
        status = 141
    except OSError as error:
        tell(f"lstmlab: {_refusal(error)}", sys.stderr)
        _hush(sys.stdout)
        status = 2
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and not _NO_MEMORY.search(str(error)):
            raise
        tell(f"lstmlab: {_OUT_OF_MEMORY}", sys.stderr)
        status = 2
    sys.exit(status)


_NO_MEMORY = re.compile("not enough memory|can't allocate memory|out of memory", re.IGNORECASE)

_OUT_OF_MEMORY = (
    "out of memory. Long texts take most of it: keep their ends with last=500, or their batches small with "
    "tokens=20000 or a smaller batch_size"
)


def _run(words: list[str]) -> int:
    """One command. What typer itself refuses (a misspelt command or option) is shown with the right usage."""
    for word in words:
        if not word.isascii() and word.encode("utf-8", "replace").decode() != word:
            raise InputError(f"{word!r} is not UTF-8: rename that file, or give the text in a file with --encoding")
    command = typer.main.get_command(app)
    try:
        # Typer's own main would meet interrupts and broken pipes before us.
        with command.make_context("lstmlab", words) as context:
            command.invoke(context)
    except typer.Exit as end:
        return end.exit_code
    except _USAGE as error:
        error.show()
        return error.exit_code
    return 0


# The base of typer's errors: click's own, or the one in the copy of click that newer releases bring.
_USAGE: Any = typer.BadParameter.__mro__[2]


def _refusal(error: OSError) -> str:
    """What the system refused, in words."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    reason = "the disk is full" if full else error.strerror or str(error)
    return f"{error.filename}: {reason}" if error.filename else reason


def _hush(stream: TextIO) -> None:
    """Whoever read our output has gone (| head), or it cannot be written: spare Python the complaint while closing."""
    with suppress(OSError, ValueError):
        number = stream.fileno()
        os.dup2(os.open(os.devnull, os.O_WRONLY), number)
