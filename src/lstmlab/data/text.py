"""From text to numbers and back: words, characters or subwords.

Splitting is one regular expression run in Rust over whole columns (polars), so 50,000 reviews take seconds and a single
text in `predict` goes through the very same code. Ids 0 and 1 are `<pad>` and `<unk>` at every level; no text can
spell its way to them, since they are positions in the vocabulary and never matched against text.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal

import numpy as np
import polars as pl
from jaxtyping import Int
from pydantic import Field, model_validator

from lstmlab.data.tokens import PAD, Tokens, kept
from lstmlab.errors import InputError
from lstmlab.recipe import FOLLOWS, Settings, dump, validate

UNKNOWN = 1
SPECIALS = ("<pad>", "<unk>")
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
CHUNK = 10_000  # texts worked on at a time, which bounds the memory taken


def _word_pattern() -> str:
    # Scripts written without blanks give a token per character; guessing their words is another program's work.
    dense = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
    letter = rf"[\p{{L}}\p{{M}}\p{{N}}_--[{dense}]]"
    # Joiners (U+200C, U+200D) belong to words of Persian and the Indic scripts, but begin none.
    inner = rf"[\p{{L}}\p{{M}}\p{{N}}_\x{{200C}}\x{{200D}}--[{dense}]]"
    emoji = r"\p{Extended_Pictographic}[\x{FE0F}\p{Emoji_Modifier}]*"
    return "|".join(
        [
            r"\p{Nd}+(?:[.,:]\p{Nd}+)+",  # 3.5  1,000  10:30
            rf"{letter}{inner}*(?:['’]{letter}+)*",  # don't  mp3  नमस्ते
            rf"[{dense}]\p{{M}}*",
            r"\p{Regional_Indicator}{2}",  # flags
            rf"{emoji}(?:\x{{200D}}{emoji})*",
        ]
    )


WORD = _word_pattern()
MARK = r"[^\s\p{Cc}\p{Cf}]\p{M}*"  # any other visible character
# Translation's classical way: marks stand alone, an apostrophe ends a word (l' homme), all else is parted by blanks.
SIMPLE_WORD, SIMPLE_MARK = r"""[^\s.,!?;:()"'’]+['’]?|['’]""", r"""[.,!?;:()"]"""
# Loses nothing: every character falls into one alternative. Both Rust's and Oniguruma's syntax.
SUBWORD = r" ?[\p{L}\p{M}]+| ?\p{N}+| ?[^\s\p{L}\p{M}\p{N}]+|\s"


class TextSettings(Settings):
    """How text becomes tokens."""

    level: Literal["word", "character", "subword"] = "word"
    """What a token is: a word or punctuation mark, a character, or a piece of a word (byte-level BPE)."""
    lowercase: bool = True
    """Whether capitals are made small first."""
    words: Literal["unicode", "simple", "blanks"] = "unicode"
    """Words: how they are found. unicode: letters of any script, numbers such as 3.5, marks one by one; simple: what
    blanks part, with . , ! ? ; : ( ) " one by one and a word ending at its apostrophe (l' homme); blanks: what blanks
    part, for texts whose words and marks are parted already."""
    punctuation: bool = True
    """Words: whether punctuation marks and other signs are tokens too, or left out."""
    line_ends: bool = False
    """Words: whether the end of a line is a token too."""
    vocabulary_size: Annotated[int, Field(gt=2)] = 20_000
    """Kinds of tokens at most, `<pad>` and `<unk>` included; the most frequent ones of the training part."""
    min_count: Annotated[int, Field(gt=0)] = 1
    """How often a token must occur in the training part to be known (subword: a pair to be merged, at least twice)."""
    first: Annotated[int, Field(gt=0)] | None = Field(default=None, json_schema_extra=FOLLOWS)
    """Keep this many tokens from the beginning of a text. Neither `first` nor `last`: keep everything."""
    last: Annotated[int, Field(gt=0)] | None = None
    """Keep this many tokens from the end of a text. With `first`: head and tail, leaving out the middle."""

    @model_validator(mode="after")
    def _possible(self) -> "TextSettings":
        least = len(SPECIALS) + 256
        if self.level == "subword" and self.vocabulary_size < least:
            raise ValueError(
                f"subwords start from the 256 bytes, so vocabulary_size must be at least {least}, "
                f"got {self.vocabulary_size}"
            )
        return self

    def idle(self) -> dict[str, str]:
        """Characters and subwords always read everything."""
        if self.level != "word":
            told = f"it belongs to words, and text.level is {self.level}"
            return dict.fromkeys(("words", "punctuation", "line_ends"), told)
        return {"punctuation": "words=blanks keeps whatever stands between blanks"} if self.words == "blanks" else {}

    @property
    def pattern(self) -> str:
        """The pattern of a token at the level of words."""
        kinds = {"unicode": (WORD, MARK), "simple": (SIMPLE_WORD, SIMPLE_MARK), "blanks": (r"[^\s]+", "")}
        word, mark = kinds[self.words]
        found = f"{word}|{mark}" if mark and self.punctuation else word
        return rf"{found}|\n" if self.line_ends else found


def plain(settings: TextSettings) -> TextSettings:
    """What a TextEncoder is fitted with and saves: the settings without those a task has added."""
    return TextSettings(**{name: getattr(settings, name) for name in TextSettings.model_fields})


@dataclass(frozen=True)
class TextEncoder:
    """Turns texts into token ids and back; a plain value, fitted on training texts once."""

    settings: TextSettings
    vocabulary: tuple[str, ...]
    """Every token by id. Subwords are spelled in GPT-2's byte alphabet."""
    merges: tuple[tuple[str, str], ...] = ()
    """Subwords only: the pairs byte-pair encoding joins, first learned first."""

    @classmethod
    def fit(cls, settings: TextSettings, texts: Sequence[Any]) -> "TextEncoder":
        """Learn the vocabulary from training texts: the most frequent tokens, equally frequent ones by alphabet.

        Words and characters that `first` and `last` cut away are not counted: they would stand in the vocabulary with
        an embedding nobody trained. Raises InputError where the texts hold no token at all or one is no `str`.
        """
        if settings.level == "subword":
            return cls(settings, *_fit_subwords(settings, texts))
        counts: Counter[str] = Counter()
        for column in _columns(settings, texts):
            counts.update(
                _count_words(settings, column) if settings.level == "word" else _count_characters(settings, column)
            )
        for mark in SPECIALS:
            del counts[mark]  # what a text spells like them is unknown: in some, rare words were written so
        if not counts:
            raise _nothing(settings, len(texts))
        ranked = sorted((-count, token) for token, count in counts.items() if count >= settings.min_count)
        if not ranked:
            raise InputError(
                f"no {settings.level} occurs {settings.min_count} times in the training texts; "
                f"the most frequent one occurs {max(counts.values())} times: lower min_count"
            )
        return cls(settings, SPECIALS + tuple(token for _, token in ranked[: settings.vocabulary_size - len(SPECIALS)]))

    @property
    def size(self) -> int:
        """Kinds of tokens, `<pad>` and `<unk>` included."""
        return len(self.vocabulary)

    def encode(self, texts: Sequence[Any]) -> Tokens:
        """Token ids of each text, cut as the settings say; an empty text gives an empty row. Refuses a non-text."""
        encode = {"word": self._words, "character": self._characters, "subword": self._subwords}[self.settings.level]
        first, last = self.settings.first, self.settings.last
        return Tokens.join([encode(column).cut(first, last) for column in _columns(self.settings, texts)])

    def pieces(self, text: str) -> list[str]:
        """One text as the model reads it: a piece per id of `encode`, unknown words in their own spelling."""
        return self.pieces_of([text])[0]

    def pieces_of(self, texts: Sequence[Any]) -> list[list[str]]:
        """The same of many texts."""
        if self.settings.level == "subword":
            encoded = self.encode(texts)
            return [self.tokens(encoded.row(at)) for at in range(len(encoded))]
        found: list[list[str]] = []
        for column in _columns(self.settings, texts):
            words = self.settings.level == "word"
            found += _split(column, self.settings.pattern).to_list() if words else map(list, column)
        first, last = self.settings.first, self.settings.last
        if first is None and last is None:
            return found
        keeps = (kept(np.array([len(one)]), first, last) for one in found)
        return [[piece for piece, wanted in zip(*row, strict=True) if wanted] for row in zip(found, keeps, strict=True)]

    def tokens(self, ids: Sequence[int] | Int[np.ndarray, "T"]) -> list[str]:
        """The name of each id. A subword that ends inside a character shows those bytes as \\xNN."""
        if self.settings.level != "subword":
            return [self.vocabulary[at] for at in ids]
        return [
            self.vocabulary[at] if at < len(SPECIALS) else self._bytes[at].decode(errors="backslashreplace")
            for at in ids
        ]

    def decode(self, ids: Sequence[int] | Int[np.ndarray, "T"]) -> str:
        """Readable text. Padding is left out; unknown words read `<unk>`, unknown characters U+FFFD.

        Characters and subwords come back exactly; words with single blanks, none before closing punctuation.
        """
        real = [at for at in ids if at != PAD]
        if self.settings.level == "subword":
            return b"".join(self._bytes[at] for at in real).decode(errors="replace")
        if self.settings.level == "character":
            return "".join(REPLACEMENT if at == UNKNOWN else self.vocabulary[at] for at in real)
        text = re.sub(r" ?\n ?", "\n", " ".join(self.vocabulary[at] for at in real))
        if self.settings.words == "blanks":
            return text
        return re.sub(r" (?=[.,!?;:…%)\]}])|(?<=[(\[{]) (?=\w)", "", text)

    def bytes_of(self, token: int) -> bytes:
        """What a subword spells; it may end inside a character."""
        return self._bytes[token]

    def to_json(self) -> dict[str, Any]:
        """Everything `from_json` needs, as plain values."""
        return {
            "settings": dump(self.settings),
            "vocabulary": list(self.vocabulary),
            "merges": [list(pair) for pair in self.merges],
        }

    @classmethod
    def from_json(cls, saved: Any, where: str = "text encoder") -> "TextEncoder":
        """The encoder that `to_json` wrote. Raises InputError, naming `where`, for anything else."""
        if not isinstance(saved, Mapping) or set(saved) != {"settings", "vocabulary", "merges"}:
            raise InputError(f"{where}: expected settings, vocabulary and merges, and nothing else")
        if not isinstance(saved["settings"], Mapping):
            raise InputError(f"{where}: expected settings by name, got {type(saved['settings']).__name__}")
        settings = validate(TextSettings, saved["settings"], f"{where}, settings")
        names, merges = saved["vocabulary"], saved["merges"]
        if not (_strings(names) and tuple(names[:2]) == SPECIALS and len(set(names)) == len(names)):
            raise InputError(
                f"{where}: the vocabulary must be a list of different tokens that starts with {', '.join(SPECIALS)}"
            )
        if not (isinstance(merges, list) and all(_strings(pair) and len(pair) == 2 for pair in merges)):
            raise InputError(f"{where}: merges must be a list of pairs of tokens")
        encoder = cls(settings, tuple(names), tuple((left, right) for left, right in merges))
        encoder._check(where)
        return encoder

    def _check(self, where: str) -> None:
        known = self.vocabulary[len(SPECIALS) :]
        if self.settings.level == "character" and any(len(name) != 1 for name in known):
            raise InputError(f"{where}: a vocabulary of characters holds something longer than one")
        if self.settings.level == "subword":
            names, letters = set(known), set(_byte_letters())
            if not letters <= names or not set("".join(known)) <= letters:
                raise InputError(f"{where}: a vocabulary of subwords must hold the 256 bytes and be spelled in them")
            if not all({left, right, left + right} <= names for left, right in self.merges):
                raise InputError(f"{where}: merges join tokens that are not in the vocabulary")

    def _words(self, column: pl.Series) -> Tokens:
        split = _split(column, self.settings.pattern)
        codes = _flat(split).cast(self._kinds, strict=False).to_physical().cast(pl.Int32)
        return Tokens.of(codes.fill_null(UNKNOWN - len(SPECIALS)).to_numpy() + len(SPECIALS), _lengths(split))

    def _characters(self, column: pl.Series) -> Tokens:
        return Tokens.of(self._by_code_point[_code_points(column)], column.str.len_chars().to_numpy().astype(np.int64))

    def _subwords(self, column: pl.Series) -> Tokens:
        # Byte-pair encoding works inside each stretch alone, so every distinct stretch is encoded only once.
        split = _split(column, SUBWORD)
        flat = _flat(split)
        kinds = flat.unique()
        encoded = self._pairs.encode_batch(kinds.to_list(), add_special_tokens=False)
        sizes = np.array([len(one.ids) for one in encoded], np.int64)
        ids = np.concatenate([np.zeros(0, np.int32), *(np.array(one.ids, np.int32) for one in encoded)])
        codes = flat.cast(pl.Enum(kinds)).to_physical().to_numpy().astype(np.int64)
        ends = np.concatenate([[0], np.cumsum(sizes[codes])])[np.concatenate([[0], np.cumsum(_lengths(split))])]
        return Tokens.of(Tokens.of(ids, sizes).take(codes).ids + len(SPECIALS), np.diff(ends))

    @cached_property
    def _kinds(self) -> Any:
        return pl.Enum(self.vocabulary[len(SPECIALS) :])

    @cached_property
    def _by_code_point(self) -> Int[np.ndarray, "points"]:
        table = np.full(0x110000, UNKNOWN, np.int32)
        table[[ord(name) for name in self.vocabulary[len(SPECIALS) :]]] = np.arange(len(SPECIALS), self.size)
        return table

    @cached_property
    def _bytes(self) -> list[bytes]:
        value = {letter: at for at, letter in enumerate(_byte_letters())}
        known = [bytes(value[letter] for letter in name) for name in self.vocabulary[len(SPECIALS) :]]
        return [b"", REPLACEMENT.encode(), *known]

    @cached_property
    def _pairs(self) -> Any:
        from tokenizers import Tokenizer, models, pre_tokenizers

        ids = {name: at for at, name in enumerate(self.vocabulary[len(SPECIALS) :])}
        tokenizer = Tokenizer(models.BPE(vocab=ids, merges=list(self.merges)))
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        return tokenizer


def _columns(settings: TextSettings, texts: Sequence[Any]) -> Iterator[pl.Series]:
    """The texts in chunks, checked and lower-cased; lone halves of surrogate pairs (no file has any) become U+FFFD."""
    if isinstance(texts, str):
        raise TypeError("expected a sequence of texts, got one text")
    for start in range(0, len(texts), CHUNK):
        chunk = [_clean(text, row) for row, text in enumerate(texts[start : start + CHUNK], start + 1)]
        column = pl.Series("text", chunk, pl.String)
        yield column.str.to_lowercase() if settings.lowercase else column


def _clean(text: Any, row: int) -> str:
    if not isinstance(text, str):
        raise InputError(f"text {row}: expected text, got {'nothing' if text is None else type(text).__name__}")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _split(column: pl.Series, pattern: str) -> pl.Series:
    return column.str.extract_all(pattern)


def _flat(split: pl.Series) -> pl.Series:
    # Some versions of polars leave a null where a list was empty.
    return split.explode().drop_nulls()


def _lengths(split: pl.Series) -> Int[np.ndarray, "N"]:
    return split.list.len().to_numpy().astype(np.int64)


def _code_points(column: pl.Series) -> Int[np.ndarray, "total"]:
    return np.frombuffer("".join(column.to_list()).encode("utf-32-le"), np.int32)


def _count_words(settings: TextSettings, column: pl.Series) -> dict[str, int]:
    split = _split(column, settings.pattern)
    flat = _flat(split)
    if settings.first is not None or settings.last is not None:
        flat = flat.filter(pl.Series(kept(_lengths(split), settings.first, settings.last)))
    found = flat.value_counts(name="count")
    return dict(zip(found["text"].to_list(), found["count"].to_list(), strict=True))


def _count_characters(settings: TextSettings, column: pl.Series) -> dict[str, int]:
    lengths = column.str.len_chars().to_numpy().astype(np.int64)
    keep = kept(lengths, settings.first, settings.last)
    found = np.bincount(_code_points(column)[keep])
    return {chr(at): int(found[at]) for at in np.flatnonzero(found)}


def _fit_subwords(settings: TextSettings, texts: Sequence[Any]) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Byte-pair encoding (Sennrich et al. 2016) over bytes (Radford et al. 2019): no text is ever unknown."""
    import json

    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

    if not any(texts):
        raise _nothing(settings, len(texts))
    tokenizer = Tokenizer(models.BPE())
    bytelevel = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(SUBWORD), "isolated"), bytelevel])
    trainer = trainers.BpeTrainer(
        vocab_size=settings.vocabulary_size - len(SPECIALS),
        special_tokens=[],
        min_frequency=max(settings.min_count, 2),
        show_progress=False,
        initial_alphabet=bytelevel.alphabet(),
    )
    tokenizer.train_from_iterator((column.to_list() for column in _columns(settings, texts)), trainer)
    model = json.loads(tokenizer.to_str())["model"]
    names = sorted(model["vocab"], key=model["vocab"].__getitem__)
    return SPECIALS + tuple(names), tuple((left, right) for left, right in model["merges"])


def _byte_letters() -> list[str]:
    """GPT-2's letter for each byte: itself where printable, else the next free one from U+0100 on."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) if byte in printable else chr(256 + others.index(byte)) for byte in range(256)]


def _strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _nothing(settings: TextSettings, count: int) -> InputError:
    return InputError(f"no {settings.level} in the {count} training texts: all are empty or blank")
