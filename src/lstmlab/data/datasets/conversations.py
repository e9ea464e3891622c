"""The named sets of dialogues: DailyDialog, Simple Dialogs, and the English part of ChatterBot's corpus.

Their parsed tables hold whole dialogues, a turn a line: how many earlier turns a model reads is chosen afterwards.
"""

import io
import re
from collections.abc import Mapping
from pathlib import Path

from lstmlab.data.datasets.dialogues import Dialogue, chained, flat, parted, table
from lstmlab.data.datasets.entry import Frames, NamedSet, from_zip, lines
from lstmlab.data.download import Remote
from lstmlab.data.fetch import Files
from lstmlab.errors import InputError

_OUTER = "ijcnlp_dailydialog.zip"


def read_dailydialog(paths: Mapping[str, Path]) -> tuple[Frames, tuple[str, ...]]:
    """A dialogue a line of dialogues_train.txt and so on, `__eou__` after every turn; each part in a zip of its own."""
    frames = {}
    for part, name in {"train": "train", "valid": "validation", "test": "test"}.items():
        member = f"dialogues_{name}.txt"
        archive = paths.get(f"{name}.zip") or _inner(paths[_OUTER], f"ijcnlp_dailydialog/{name}.zip")
        content = from_zip(archive, [f"{name}/{member}"])[f"{name}/{member}"]
        found = [(f"{part}/{line}", parted(text)) for line, text in lines(content, "utf-8", member)]
        frames[part] = table(found)
    return frames, ("Turns were parted at __eou__, spaces around them removed.",)


def _inner(outer: Path, member: str) -> io.BytesIO:
    """An archive within an archive, as a file in memory."""
    return io.BytesIO(from_zip(outer, [member])[member])


def read_simple_dialogs(paths: Mapping[str, Path]) -> tuple[Frames, tuple[str, ...]]:
    """Lines "question TAB reply"; a line whose question is the reply before it goes on with the same dialogue."""
    (path,) = paths.values()
    pairs = []
    for number, line in lines(path.read_bytes(), "utf-8", path.name):
        # One copy that goes around has four spaces in a tab's place.
        fields = re.split(r"\t| {4}", line.removesuffix("\r"))
        if len(fields) != 2 or not all(field.strip() for field in fields):
            raise InputError(f'{path.name}, line {number}: expected "question TAB reply", found "{line[:60]}"')
        pairs.append((str(number), fields[0], fields[1]))
    if not pairs:
        raise InputError(f"{path.name}: nothing but blank lines; fetch it again")
    found = chained(pairs)
    return {"train": table(found)}, (f"{len(pairs):,} lines of a question and its reply became {_said(found)}.",)


def read_chatterbot(paths: Mapping[str, Path]) -> tuple[Frames, tuple[str, ...]]:
    """YAML files, each with a list of conversations: lists of turns."""
    found = [
        (f"{name.removesuffix('.yml')}/{at}", turns)
        for name in sorted(paths)
        for at, turns in enumerate(_conversations(paths[name]), 1)
    ]
    whole = [(name, turns) for name, turns in found if len(turns) > 1]
    steps = ["Turns of several lines (programs) were put on one."]
    if len(whole) < len(found):
        steps.append(f"Conversations of a single turn left out: {len(found) - len(whole)}.")
    return {"train": table(whole)}, tuple(steps)


def _conversations(path: Path) -> list[list[str]]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        tree = YAML(typ="safe", pure=True).load(path.read_text("utf-8"))
    except (YAMLError, OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not YAML that can be read: {error}; fetch it again") from error
    listed = tree.get("conversations") if isinstance(tree, dict) else None
    if not isinstance(listed, list) or not any(isinstance(turns, list) for turns in listed):
        raise InputError(f"{path}: expected a list of conversations, each a list of turns; fetch it again")
    # A turn such as 42 or yes is a number or a truth value to YAML, and was text to its writer.
    # One conversation of the set lost the dash before its second turn: then it is a single turn.
    turned = (turns if isinstance(turns, list) else [turns] for turns in listed)
    return [[flat(str(turn)) for turn in turns if turn is not None and str(turn).strip()] for turns in turned]


def _said(found: list[Dialogue]) -> str:
    turns = sum(len(turns) for _, turns in found)
    return f"{len(found):,} dialogues of {turns:,} turns, each going on while a question is the reply before it"


# ---- The shelf ------------------------------------------------------------------------------------------------------

DAILYDIALOG = Files(
    "dailydialog",
    (
        # The server has no https, and no checksum was ever published.
        (Remote(_OUTER, f"http://yanran.li/files/{_OUTER}"),),
        (
            Remote(
                "train.zip", sha256="6191257f8250da0e045bfd1d017645e15b2358df975ec4c5c431a5a1f99662a4", size=2_059_812
            ),
            Remote(
                "validation.zip",
                sha256="f068cf7526a56ab5f26e99b74ce9edbc2766f7b060a3c6cef035920b0dd28153",
                size=191_273,
            ),
            Remote("test.zip", sha256="5f9526a5ce4b8af4ca237aa3ff38cbf03becbc596c70b0974d7f5f9af2ea0615", size=188_867),
        ),
    ),
    licence="CC BY-NC-SA 4.0 (non-commercial)",
)

SIMPLE = Files(
    "simple-dialogs",
    ((Remote("dialogs.txt"),),),
    licence="unclear: an upload to Kaggle without a source",
)

CHATTERBOT_FILES = (
    "ai botprofile coding computers conversations emotion food gossip greetings health history humor literature money "
    "movies politics psychology science sports tech_support trivia"
).split()

_CHATTERBOT = "https://raw.githubusercontent.com/gunthercox/chatterbot-corpus/master/chatterbot_corpus/data/english"

CHATTERBOT = Files(
    "chatterbot-corpus-en",
    (tuple(Remote(f"{name}.yml", f"{_CHATTERBOT}/{name}.yml") for name in CHATTERBOT_FILES),),
    licence="BSD-3-Clause",
)

CONVERSATIONS = {
    entry.name: entry
    for entry in (
        NamedSet(
            "dailydialog",
            "13,118 English dialogues about daily life, written for learners; 1,000 of them for testing.",
            "dialogue",
            DAILYDIALOG,
            read_dailydialog,
            "http://yanran.li/dailydialog",
            "Li et al. 2017, DailyDialog: A Manually Labelled Multi-turn Dialogue Dataset (IJCNLP)",
            parts=("train", "valid", "test"),
        ),
        NamedSet(
            "simple-dialogs",
            "Small talk in English: 3,725 questions and replies of a few words each.",
            "dialogue",
            SIMPLE,
            read_simple_dialogs,
            "https://www.kaggle.com/datasets/grafstor/simple-dialogs-for-chatbot",
            "Simple Dialogs for Chatbot, Kaggle, by grafstor",
            parts=("train",),
        ),
        NamedSet(
            "chatterbot-corpus-en",
            "Some 2,000 short English conversations by topic, from greetings to technical support.",
            "dialogue",
            CHATTERBOT,
            read_chatterbot,
            "https://github.com/gunthercox/chatterbot-corpus",
            "ChatterBot Language Training Corpus, Gunther Cox and contributors",
            parts=("train",),
        ),
    )
}
