"""A language model writing on: from the first words somebody gives, or from the middle of a text."""

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lstmlab.data.spelling import Spelling
from lstmlab.data.text import UNKNOWN, TextEncoder
from lstmlab.data.tokens import PAD
from lstmlab.decoding import StreamSettings, likeliest, stream
from lstmlab.nn.language_model import LanguageModel
from lstmlab.nn.stepping import States, split
from lstmlab.types import Padded

UNWRITTEN = (PAD, UNKNOWN)
"""What is never written."""
WAYS = 4
"""Of pieces: so many times as many words are looked for as are told, since one word can be spelled in several ways."""
FEW = 8
"""Lines of a part that are continued in its answers."""
PRIME = 200
"""Characters of a text that its continuation is begun with, in samples."""


@dataclass(frozen=True)
class Begun:
    """Texts that have been read and may go on."""

    step: Callable[[Tensor, States], tuple[Tensor, States]]
    logits: Tensor
    """Of the first token to come [R V]."""
    states: States


def begin(model: LanguageModel, encoder: TextEncoder, primes: Sequence[str]) -> Begun:
    """Read each prime. An empty one is the beginning of a text."""
    model.eval()
    device = next(model.parameters()).device
    encoded = encoder.encode(list(primes))
    lengths = encoded.lengths + 1
    ids = np.full((len(primes), int(lengths.max())), PAD, np.int64)
    for row in range(len(primes)):
        ids[row, 1 : lengths[row]] = encoded.row(row)
    inputs = Padded(torch.from_numpy(ids), torch.from_numpy(lengths)).to(device)
    features, state = model.read(inputs)
    steps = model.stepping(len(primes))
    return Begun(
        lambda tokens, states: model.step(steps, tokens, states),
        model.logits(Padded(features, inputs.lengths).last),
        split(state, model.layers.num_layers),
    )


def continuations(
    model: LanguageModel, encoder: TextEncoder, primes: Sequence[str], settings: StreamSettings
) -> Iterator[Tensor]:
    """`settings.length` times the next token of each prime [R]."""
    with torch.inference_mode():
        begun = begin(model, encoder, primes)
        streams = [zlib.crc32(prime.encode("utf-8", "replace")) for prime in primes]
        tokens = stream(begun.step, begun.logits, begun.states, settings, streams, UNWRITTEN)
    while True:
        with torch.inference_mode():  # not around a yield, where it would reach whoever asks
            found = next(tokens, None)
        if found is None:
            return
        yield found


@torch.inference_mode()
def next_words(model: LanguageModel, encoder: TextEncoder, text: str, count: int) -> list[tuple[str, float]]:
    """The likeliest words after a text, with their probabilities. Characters are put together to words, as are pieces.

    A text that ends in a word is taken to go on with another one: of characters it is read with a blank behind it, of
    pieces, which have their blank before them, without one, and only those that begin a word are asked for. A word that
    can be put together from pieces in several ways has the probability of those ways that were found.
    """
    level = encoder.settings.level
    asked = text.rstrip(" ") if level == "subword" else text
    begun = begin(model, encoder, [asked + " " if level == "character" and asked[-1:].strip() else asked])
    spelled = [name if at not in UNWRITTEN else "" for at, name in enumerate(encoder.tokens(range(encoder.size)))]
    device = begun.logits.device
    inner = torch.tensor([level != "word" and _within(name) for name in spelled], device=device)
    blank = torch.tensor([name.startswith(" ") and _within(name[1:]) for name in spelled], device=device)
    if level == "subword" and asked[-1:].strip():
        begun.logits[:, inner] = -torch.inf
    found = likeliest(
        begun.step,
        lambda states, rows: tuple(state.map(lambda value: value[rows]) for state in states),
        begun.logits,
        begun.states,
        opening=(inner | blank) if level != "word" else torch.zeros_like(inner),
        inner=inner,
        never=UNWRITTEN,
        count=count * WAYS if level == "subword" else count,
    )
    shares: dict[str, float] = {}
    for one in found:
        word = encoder.decode(one.tokens).lstrip(" ") or " "
        shares[word] = shares.get(word, 0.0) + one.probability
    return sorted(shares.items(), key=lambda pair: -pair[1])[:count]


def _within(name: str) -> bool:
    """Whether a token begins as the inside of a word does."""
    return bool(name) and (name[0].isalnum() or name[0] in "'’-_\\")


def spoken(model: LanguageModel, encoder: TextEncoder, prime: str, settings: StreamSettings) -> Iterator[str]:
    """What follows a prime, piece by piece."""
    spelling = _spelling(encoder, prime)
    for tokens in continuations(model, encoder, [prime], settings):
        yield spelling.add(int(tokens))


def _spelling(encoder: TextEncoder, prime: str) -> Spelling:
    """Ready to spell what follows a prime: a blank that stands at its end is not written again."""
    told = encoder.encode([prime]).ids.tolist()
    return Spelling(encoder).after([] if prime[-1:].isspace() else told)


def written(model: LanguageModel, encoder: TextEncoder, primes: Sequence[str], settings: StreamSettings) -> list[str]:
    """What follows each prime."""
    spellings = [_spelling(encoder, prime) for prime in primes]
    texts = [""] * len(primes)
    for tokens in continuations(model, encoder, primes, settings):
        for row, token in enumerate(tokens.tolist()):
            texts[row] += spellings[row].add(token)
    return texts


def answers(
    model: LanguageModel, encoder: TextEncoder, texts: Sequence[str], settings: StreamSettings, count: int
) -> list[Any]:
    """A continuation of `count` of the texts, spread evenly, and None for the others."""
    places = np.unique(np.linspace(0, len(texts) - 1, min(count, len(texts))).round().astype(int)).tolist()
    told: list[Any] = [None] * len(texts)
    for at, text in zip(places, written(model, encoder, [texts[at] for at in places], settings), strict=True):
        told[at] = {"prediction": text}
    return told


def glance(
    model: LanguageModel, encoder: TextEncoder, texts: Sequence[str], settings: StreamSettings
) -> list[dict[str, Any]]:
    """The middle of a text, how it goes on, and how the model would go on."""
    middle = len(texts) // 2
    before = "".join(texts[max(0, middle - 40) : middle])[-PRIME:]
    after = "".join(texts[middle : middle + 40])
    (said,) = written(model, encoder, [before], settings)
    return [{"input": before, "target": after[: max(len(said), 1)], "prediction": said, "shown": True}]
