"""A trained encoder-decoder at work: sources in batches through a search, answers as text, with where they looked."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lstmlab.data.load import Watch
from lstmlab.data.sentences import MARKS, EncodedPairs, Languages
from lstmlab.data.text import UNKNOWN
from lstmlab.decoding import Hypothesis, Marks, SearchSettings, search
from lstmlab.types import Example, Padded, pad

ROWS = 640
"""Hypotheses worked on side by side."""
LONG = 512
"""Tokens of a source from which on fewer are, so that one of thousands of words does not fill the memory."""
SHOWN = (0.1, 0.3, 0.5, 0.7, 0.9)
"""The five sources that are shown: those at these shares of all sources ordered by length."""


@dataclass(frozen=True)
class Writing:
    """How answers are searched for."""

    search: SearchSettings
    copy_unknown: bool = False
    """Whether an unknown word is written as the source word that attention looks at most."""
    bounded: bool = True
    """Whether an answer is at most three times as long as its source, and twenty tokens."""
    look: bool = False
    """Whether every answer tells where it looked in the source."""
    first: int = 0
    """The first source's place among all that are asked: sources that come in portions draw as they would at once."""


def answers(
    model: nn.Module, languages: Languages, encoded: EncodedPairs, writing: Writing, watch: Watch = Watch()
) -> list[dict[str, Any]]:
    """An answer to every source, in order. Five, chosen by the length of their source alone, are marked as `shown` and
    tell the greedy answer and where attention looked as well. An empty source gets an empty answer.
    """
    told = _written(model, languages, encoded, np.arange(len(encoded)), writing, watch)
    if encoded.targets is None:
        return told
    shown = even_lengths(encoded, np.arange(len(encoded)))
    looking = replace(writing, look=True)
    seen = _written(model, languages, encoded, shown, looking)
    greedy = _written(model, languages, encoded, shown, replace(looking, search=_greedy(writing.search)))
    for place, one, other in zip(shown, seen, greedy, strict=True):
        told[place] = {**one, "shown": True, "greedy": other}
    return told


def glance(
    model: nn.Module, languages: Languages, encoded: EncodedPairs, count: int, writing: Writing
) -> list[dict[str, Any]]:
    """Greedy answers to `count` sources spread evenly over the part, with source and target; five marked as `shown`."""
    places = np.unique(np.linspace(0, len(encoded) - 1, min(count, len(encoded))).round().astype(np.int64))
    shown = set(even_lengths(encoded, places).tolist())
    told = _written(model, languages, encoded, places, replace(writing, search=_greedy(writing.search)))
    targets: Sequence[str | None] = encoded.targets or [None] * len(encoded)
    return [
        {"input": encoded.inputs[place], "target": targets[place], **one, **({"shown": True} if place in shown else {})}
        for place, one in zip(places.tolist(), told, strict=True)
    ]


def even_lengths(encoded: EncodedPairs, places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of these places the five of SHOWN, shortest source first: a rule that no model and no answer can bend."""
    order = places[np.argsort(encoded.source.lengths[places], kind="stable")]
    return order[np.unique((np.array(SHOWN) * len(order)).astype(np.int64))] if len(order) else order


def _greedy(search: SearchSettings) -> SearchSettings:
    kept = {name: getattr(search, name) for name in ("no_repeat_ngram", "min_length", "max_length")}
    return SearchSettings(method="greedy", **kept)


@torch.inference_mode()
def _written(
    model: nn.Module,
    languages: Languages,
    encoded: EncodedPairs,
    places: NDArray[np.int64],
    writing: Writing,
    watch: Watch = Watch(),
) -> list[dict[str, Any]]:
    """The answers to the sources at `places`, in that order."""
    model.eval()
    found: list[dict[str, Any]] = [{"prediction": "", "score": 0.0, "tokens": 0, "finished": True} for _ in places]
    asked = [at for at, place in enumerate(places) if encoded.inputs[place].strip()]
    asked.sort(key=lambda at: -int(encoded.source.lengths[places[at]]))
    settings = writing.search
    wide = settings.beam_size if settings.method == "beam" else settings.n_best
    start = 0
    while start < len(asked):
        longest = int(encoded.source.lengths[places[asked[start]]])
        batch = asked[start : start + max(1, ROWS * LONG // (wide * max(longest, LONG)))]
        rows = places[batch]
        for at, place, best in zip(batch, rows, _searched(model, languages, encoded, rows, writing), strict=True):
            source = encoded.inputs[place]
            first, *others = [_told(one, languages, source, writing) for one in best]
            found[at] = {**first, "n_best": [first, *others]} if settings.n_best > 1 else first
        start += len(batch)
        watch.progress("writing", start, len(asked))
    return found


def _searched(
    model: nn.Module, languages: Languages, encoded: EncodedPairs, rows: NDArray[np.int64], writing: Writing
) -> list[list[Hypothesis]]:
    device = next(model.parameters()).device
    tokens = encoded.source.take(rows)
    source = Padded(torch.from_numpy(tokens.padded().astype(np.int64)), torch.from_numpy(tokens.lengths)).to(device)
    target = languages.target
    module: Any = model
    return search(
        module.decoder.step,
        module.encode(source),
        len(rows),
        writing.search,
        Marks(target.begin, target.end, target.unwritten),
        most=[3 * int(length) + 20 for length in tokens.lengths] if writing.bounded else None,
        keep_alignment=writing.look or writing.copy_unknown,
        streams=(rows + writing.first).tolist(),
    )


def _told(one: Hypothesis, languages: Languages, source: str, writing: Writing) -> dict[str, Any]:
    """A hypothesis as JSON."""
    target = languages.target
    names, looks = target.names(one.tokens), one.alignment
    pieces = languages.source.pieces(source) if looks is not None else []
    if writing.copy_unknown and looks is not None and UNKNOWN in one.tokens:
        names = _copied(one, names, pieces, looks)
        text = target.join(names)
    else:
        text = target.decode(one.tokens)
    told: dict[str, Any] = {
        "prediction": text,
        "score": one.score,
        "log_probability": one.log_probability,
        "tokens": len(one.tokens),
        "finished": one.finished,
    }
    if writing.look and looks is not None:
        written = [*names, *([target.names([target.end])[0]] if one.finished else [])]
        weights = looks[: len(written), : len(pieces)].astype(np.float64).round(4).tolist()
        told["attention"] = {"source": pieces, "output": written, "weights": weights}
    return told


def _copied(one: Hypothesis, names: Sequence[str], pieces: Sequence[str], looks: NDArray[Any]) -> list[str]:
    """Unknown words in the spelling of the source word that was looked at most (marks do not count)."""
    words = [at for at, piece in enumerate(pieces) if piece not in MARKS]
    if not words:
        return list(names)
    return [
        pieces[words[int(looks[at, words].argmax())]] if token == UNKNOWN else name
        for at, (token, name) in enumerate(zip(one.tokens, names, strict=True))
    ]


def journey(languages: Languages, example: Example) -> list[tuple[str, str]]:
    """Both sides of a pair on their way from text to tensor."""
    sides = (
        ("source", example.inputs, languages.source.sources([example.inputs]).row(0), languages.source),
        ("target", example.target, languages.target.targets([example.target]).row(0), languages.target),
    )
    told = []
    for name, text, ids, language in sides:
        shape = list(pad([torch.from_numpy(ids)]).values.shape)
        told += [
            (name, _shorten(" / ".join(text.split("\n")))),
            ("tokens", _shorten(" | ".join(language.names(ids[:24]))) + f"   ({len(ids)} in all)"),
            ("ids", _shorten(" ".join(map(str, ids[:24].tolist())))),
            ("tensor", f"{shape}, padded with 0 to the longest {name} of its batch"),
        ]
    return told


def _shorten(text: str, most: int = 160) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
