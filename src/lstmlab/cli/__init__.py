"""The commands. Importing this imports neither torch nor anything that does, so that --help answers at once."""

import sys
from typing import Annotated

import click
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


def _version(wanted: bool) -> None:
    if wanted:
        from importlib import metadata

        typer.echo(f"lstmlab {metadata.version('lstmlab')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run a command; what a person can mend ends with one message and status 2."""
    from lstmlab.cli import data, explore, learn, use  # noqa: F401  (each adds its commands)

    try:
        status = app(standalone_mode=False)
    except InputError as error:
        print(f"lstmlab: {error}", file=sys.stderr)
        status = 2
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        print("\nlstmlab: stopped", file=sys.stderr)
        status = 130
    except BrokenPipeError:
        # Whoever read our output has gone (| head); Python would complain once more while closing it.
        sys.stderr.close()
        status = 141
    sys.exit(status if isinstance(status, int) else 0)
