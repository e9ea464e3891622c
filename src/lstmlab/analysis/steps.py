"""What a model reads at each step of an example, in words: tokens, words, or the number of a step."""

from collections.abc import Sequence
from typing import Any

from lstmlab.data.signals import SignalEncoder
from lstmlab.data.tokens import PAD
from lstmlab.errors import InputError
from lstmlab.report import excerpt
from lstmlab.tasks.classification import TextClassification
from lstmlab.tasks.forecasting import Forecasting
from lstmlab.tasks.language_model import LanguageModelling
from lstmlab.tasks.pairs import SentencePairs
from lstmlab.tasks.seq2seq import Translation
from lstmlab.tasks.tagging import Tagging
from lstmlab.tasks.task import Task

BEGIN = "(start)"
"""What stands before a text that a language model reads."""
SIGNS = {"\n": "⏎", "\t": "⇥"}


def steps(task: Task, inputs: Any) -> list[list[str]]:
    """The name of each step that the recurrent stack reads of an example; two lists for a pair of texts."""
    if isinstance(task, TextClassification):
        if isinstance(task.encoder, SignalEncoder):
            return [[str(at + 1) for at in range(len(inputs))]]
        return [named(task.encoder.pieces(inputs))]
    if isinstance(task, SentencePairs):
        return [named(pieces) for pieces in task.encoder.pieces_of(list(inputs))]
    if isinstance(task, Tagging):
        return [named(inputs)]
    if isinstance(task, LanguageModelling):
        return [[BEGIN, *named(task.encoder.pieces(inputs))]]
    if isinstance(task, Translation):
        return [named(task.languages.source.pieces(inputs))]
    if isinstance(task, Forecasting):
        size, window = task.recipe.model.segment, task.recipe.data.window
        return [[str(at * size + size - 1 - window // size * size) for at in range(window // size)]]
    raise InputError(f"nothing is known of what a run of {task.name} reads at each step")


def words(task: Task) -> tuple[str, str]:
    """What a step is called: one, several."""
    if isinstance(task, Forecasting):
        return ("time step", "time steps") if task.recipe.model.segment == 1 else ("segment", "segments")
    if isinstance(task, TextClassification) and isinstance(task.encoder, SignalEncoder):
        return "time step", "time steps"
    if isinstance(task, LanguageModelling) and task.encoder.settings.level == "character":
        return "character", "characters"
    return ("word", "words") if isinstance(task, Tagging) else ("token", "tokens")


def numeric(task: Task) -> bool:
    """Whether the model reads numbers rather than text."""
    signals = isinstance(task, TextClassification) and isinstance(task.encoder, SignalEncoder)
    return signals or isinstance(task, Forecasting)


def named(tokens: Sequence[str]) -> list[str]:
    """Tokens on one line each, blanks and line ends to be seen."""
    return [_named(token) for token in tokens]


def _named(token: str) -> str:
    shown = "".join(SIGNS.get(letter, letter) for letter in token)
    return excerpt(shown, 24) or "␣"


def passage(task: LanguageModelling, tokens: Sequence[str], length: int, count: int) -> list[str]:
    """Up to `count` texts of `length` tokens from a passage whose tokens are known by name, evenly spread over it."""
    ids = _ids(task, tokens)
    starts = sorted({at * max(len(ids) - length, 0) // max(count - 1, 1) for at in range(count)})
    return [task.encoder.decode(ids[start : start + length]) for start in starts]


def _ids(task: LanguageModelling, tokens: Sequence[str]) -> list[int]:
    if task.encoder.settings.level == "subword":
        return [int(one) for one in task.encoder.encode(["".join(tokens)]).ids]
    known = {name: at for at, name in enumerate(task.encoder.vocabulary)}
    return [known[token] for token in tokens if known.get(token, PAD) != PAD]
