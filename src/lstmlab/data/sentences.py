"""Sequences that are read and written: tokens between marks, several turns in one source.

Three marks follow the vocabulary: begin, end and turn, which stands between the turns (lines) of a source. No text can
spell its way to them. Letters in shapes: N texts.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray

from lstmlab.data.text import TextEncoder, TextSettings, plain
from lstmlab.data.tokens import PAD, Tokens
from lstmlab.errors import InputError

MARKS = ("<s>", "</s>", "<turn>")
LONG_SOURCE = 4  # a source may be this many times as long as its target before it decides where it is batched


class SentenceSettings(TextSettings):
    """How sources and targets become tokens."""

    lowercase: bool = False
    """Whether capitals are made small first, on both sides; scores then do not count case either."""
    joint: bool = False
    """One vocabulary for source and target, counted on both, instead of one for each side."""
    copy_unknown: bool = True
    """Words: write the source word that attention looks at most in the place of one the vocabulary lacks."""

    def idle(self) -> dict[str, str]:
        """Characters and subwords leave hardly anything unknown."""
        reasons = {**TextSettings.idle(self), "line_ends": "the lines of a source are turns, which have a mark already"}
        if self.level != "word":
            reasons["copy_unknown"] = f"it belongs to words, and text.level is {self.level}"
        return reasons


@dataclass(frozen=True)
class Language:
    """One side's tokens: a fitted encoder and the marks behind its vocabulary."""

    encoder: TextEncoder
    glued: Mapping[str, tuple[bool, bool]] = field(default_factory=dict)
    """Words: the signs that mostly stand without a blank before them, and after them."""

    @classmethod
    def fit(cls, settings: TextSettings, texts: Sequence[str]) -> "Language":
        """Fitted on training texts; lines of a text are turns. Raises InputError where there is nothing to learn."""
        lines = [line for text in texts for line in text.split("\n")]
        encoder = TextEncoder.fit(plain(settings), lines)
        return cls(encoder, spacing(lines) if settings.level == "word" else {})

    @property
    def size(self) -> int:
        """Kinds of tokens, marks included."""
        return self.encoder.size + len(MARKS)

    @property
    def begin(self) -> int:
        """The mark before a target's first token."""
        return self.encoder.size

    @property
    def end(self) -> int:
        """The mark after the last token."""
        return self.encoder.size + 1

    @property
    def turn(self) -> int:
        """The mark between turns."""
        return self.encoder.size + 2

    @property
    def unwritten(self) -> tuple[int, ...]:
        """What no answer may hold."""
        return (PAD, self.begin, self.turn)

    def sources(self, texts: Sequence[str]) -> Tokens:
        """Each text's turns with marks between them and the end mark at last: never empty."""
        turns = [text.split("\n") for text in texts]
        counts = np.array([len(one) for one in turns], np.int64)
        lines = self.encoder.encode([line for one in turns for line in one])
        last = np.zeros(len(lines), bool)
        last[np.cumsum(counts) - 1] = True
        marked = _followed(lines, np.where(last, self.end, self.turn))
        starts = np.concatenate([[0], np.cumsum(counts)])
        return Tokens(marked.ids, marked.offsets[starts])

    def targets(self, texts: Sequence[str]) -> Tokens:
        """Each text between begin mark and end mark."""
        found = self.encoder.encode(texts)
        closed = _followed(found, np.full(len(found), self.end))
        ids = np.insert(closed.ids, closed.offsets[:-1], self.begin)
        return Tokens.of(ids, closed.lengths + 1)

    def decode(self, ids: Sequence[int] | Int[np.ndarray, "T"]) -> str:
        """Readable text of an answer, marks left out."""
        real = [at for at in map(int, ids) if at < self.encoder.size and at != PAD]
        if self.encoder.settings.level == "word":
            return self.join([self.encoder.vocabulary[at] for at in real])
        return self.encoder.decode(real)

    def join(self, words: Sequence[str]) -> str:
        """Words and signs as a text, blanks where the training texts have them: "ça va ?" but "Est-ce là?"."""
        text, stuck, quoted = "", True, False
        for word in words:
            before, after = self.glued.get(word, (False, word.endswith(("'", "’"))))
            if word == '"':
                before, after, quoted = quoted, not quoted, not quoted
            text += word if stuck or before else " " + word
            stuck = after
        return text

    def names(self, ids: Sequence[int] | Int[np.ndarray, "T"]) -> list[str]:
        """The name of each token."""
        size = self.encoder.size
        return [MARKS[at - size] if at >= size else self.encoder.tokens([at])[0] for at in map(int, ids)]

    def pieces(self, text: str) -> list[str]:
        """A source as the model reads it, a piece for each id of `sources`, unknown words in their own spelling."""
        lines = [self.encoder.pieces(line) for line in text.split("\n")]
        return [*[piece for line in lines for piece in (*line, MARKS[2])][:-1], MARKS[1]]

    def to_json(self) -> dict[str, Any]:
        """Everything `from_json` needs."""
        return {**self.encoder.to_json(), "glued": {sign: list(sides) for sign, sides in self.glued.items()}}

    @classmethod
    def from_json(cls, saved: Any, where: str) -> "Language":
        """The language that `to_json` wrote. Raises InputError, naming `where`, for anything else."""
        if not isinstance(saved, Mapping) or not isinstance(saved.get("glued"), Mapping):
            raise InputError(f"{where}: expected a vocabulary and its spacing (glued)")
        encoder = {name: value for name, value in saved.items() if name != "glued"}
        glued = {str(sign): (bool(sides[0]), bool(sides[1])) for sign, sides in saved["glued"].items()}
        return cls(TextEncoder.from_json(encoder, where), glued)


@dataclass(frozen=True)
class Languages:
    """Both sides; with a joint vocabulary they are one."""

    source: Language
    target: Language

    @classmethod
    def fit(cls, settings: SentenceSettings, sources: Sequence[str], targets: Sequence[str]) -> "Languages":
        """Fitted on the training part."""
        if settings.joint:
            both = Language.fit(settings, [*sources, *targets])
            # Only answers are written: blanks stand as the targets have them.
            written = [line for text in targets for line in text.split("\n")]
            both = replace(both, glued=spacing(written) if settings.level == "word" else {})
            return cls(both, both)
        return cls(Language.fit(settings, sources), Language.fit(settings, targets))

    def to_json(self) -> dict[str, Any]:
        """Both vocabularies; a joint one once."""
        told = {"source": self.source.to_json()}
        return told if self.target == self.source else {**told, "target": self.target.to_json()}

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> "Languages":
        """What `to_json` wrote."""
        source = Language.from_json(saved["source"], "the source's vocabulary")
        given = saved.get("target")
        return cls(source, source if given is None else Language.from_json(given, "the target's vocabulary"))


@dataclass(frozen=True)
class EncodedPairs:
    """N sources, and their targets where they are known, as texts and as tokens between marks."""

    inputs: list[str]
    targets: list[str] | None
    source: Tokens
    target: Tokens | None

    @property
    def lengths(self) -> NDArray[np.int64]:
        """What batches are bucketed by: steps of the target, which come one by one; very long sources count too."""
        if self.target is None:
            return self.source.lengths
        return np.maximum(self.target.lengths, self.source.lengths // LONG_SOURCE)

    def __len__(self) -> int:
        return len(self.inputs)


def spacing(texts: Sequence[str], most: int = 20_000) -> dict[str, tuple[bool, bool]]:
    """For each sign in (the first `most`) texts whether it mostly stands without a blank before it, and after it.

    The ends of a text tell nothing.
    """
    found: dict[str, list[int]] = {}
    for text in texts[:most]:
        for match in _SIGN.finditer(text):
            at, counts = match.start(), found.setdefault(match[0], [0, 0, 0, 0])
            if at:
                counts[1 if text[at - 1].isspace() else 0] += 1
            if at + 1 < len(text):
                counts[3 if text[at + 1].isspace() else 2] += 1
    return {sign: (left > parted, right > apart) for sign, (left, parted, right, apart) in sorted(found.items())}


_SIGN = re.compile(r"[^\w\s]")


def _followed(tokens: Tokens, marks: NDArray[Any]) -> Tokens:
    """Each text with one more token at its end."""
    return Tokens.of(np.insert(tokens.ids, tokens.offsets[1:], marks), tokens.lengths + 1)
