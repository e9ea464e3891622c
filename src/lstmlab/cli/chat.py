"""chat: a conversation with a run of dialogue."""

import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from lstmlab.cli import app
from lstmlab.cli.console import counted, tell, utf8
from lstmlab.cli.search import ChatSearch, Search, spelled, with_search
from lstmlab.errors import nearest

if TYPE_CHECKING:
    from lstmlab.training.conversation import Conversation

COMMANDS = {
    "/reset": "forget what was said",
    "/help": "show this",
    "/quit": "leave (as Ctrl-D does)",
}


@app.command()
@with_search(ChatSearch)
def chat(
    run: Annotated[str | None, typer.Argument(help="A run of dialogue; the newest run where not given.")] = None,
    *,
    search: Search,
) -> None:
    """Talk with a run of dialogue. Replies are drawn at random unless --greedy or --beam is given."""
    from lstmlab import api

    typed = search.changes()
    result = api.open_run(run)
    with spelled("leave out --greedy and --beam"):
        conversation = result.chat(**typed)
    if not sys.stdout.isatty():
        utf8(sys.stdout)
    tell(_welcome(result.run.title, conversation), sys.stderr)
    try:
        for said in _turns(sys.stdin):
            if said.startswith("/"):
                if not _obeyed(said, conversation):
                    break
            elif said:
                tell(conversation.say(said))
                sys.stdout.flush()
    except KeyboardInterrupt:
        tell("", sys.stderr)
        raise typer.Exit(130) from None


def _welcome(title: str, conversation: "Conversation") -> str:
    search = conversation.search
    ways = {
        "greedy": "the likeliest token each time",
        "beam": f"a beam of {search.beam_size}",
        "sample": f"replies are drawn, temperature {search.temperature:g}, top-p {search.top_p:g}"
        + (f", top-k {search.top_k}" if search.top_k else ""),
    }
    turns = conversation.turns
    heard = f"the last {counted(turns, 'turn')}, yours and its own" if turns > 1 else "your last turn only"
    return f"Talking with {title}: it reads {heard}; {ways[search.method]}. {_help()}"


def _help() -> str:
    return "  ".join(f"{name}: {what}" for name, what in COMMANDS.items())


def _obeyed(said: str, conversation: "Conversation") -> bool:
    """What a line that begins with a slash asks for; whether the conversation goes on."""
    word = said.split()[0]
    if word == "/reset":
        conversation.reset()
        tell("Forgotten: the conversation begins anew.", sys.stderr)
    elif word == "/help":
        tell(_help(), sys.stderr)
    elif word != "/quit":
        match = nearest(word, COMMANDS)
        tell(f"no command {word}. " + (f"Did you mean {match[0]}?" if match else _help()), sys.stderr)
    return word != "/quit"


def _turns(stream: TextIO) -> Iterator[str]:
    """What is said, without blanks around it. On a terminal lines can be edited, and arrows bring back earlier ones."""
    if not stream.isatty():
        for raw in stream.buffer:
            yield raw.decode("utf-8", "replace").strip("\ufeff \t\r\n")
        return
    with suppress(ImportError):  # Windows edits lines itself
        import readline  # noqa: F401  (input() uses it once it is there)
    prompt = "> " if sys.stdout.isatty() else ""
    while True:
        try:
            line = input(prompt)
        except EOFError:
            tell("", sys.stderr)
            return
        # What a terminal sends that is no UTF-8 arrives as halves of characters.
        yield line.encode("utf-8", "replace").decode().strip()
