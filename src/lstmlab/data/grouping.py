"""Splits that keep together what belongs together: all pairs with one source sentence, all pairs of one dialogue."""

import hashlib
import unicodedata

import numpy as np
import polars as pl

from lstmlab.errors import InputError

_IGNORED = r"[\p{P}\p{Z}\p{C}\s]+"
"""Punctuation, white space of every kind, and what is not seen at all."""


def keys(texts: pl.Series) -> pl.Series:
    """What makes texts the same: equal but for case, white space, punctuation and the way accents are encoded.

    A text of nothing but punctuation is its own key.
    """
    folded = pl.Series([_folded(text) for text in texts], dtype=pl.String)
    bare = folded.str.replace_all(_IGNORED, "")
    return pl.select(pl.when(bare == "").then(folded).otherwise(bare)).to_series()


def _folded(text: str) -> str:
    return (text if text.isascii() else unicodedata.normalize("NFKC", text)).casefold()


def split(pairs: pl.DataFrame, fraction: float, seed: int, kind: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split off about `fraction` (0 to 1) of the pairs, whole groups at a time. Returns (rest, split off), in order.

    Which groups go is decided by a hash of their key and the seed, so that the order of the file makes no difference.
    `kind` says what a group is. Raises InputError where either side would be empty.
    """
    counts = pairs.group_by("group").len()
    salt = f"{seed}:".encode()
    drawn = counts.with_columns(
        pl.Series("draw", [hashlib.blake2b(salt + key.encode(), digest_size=8).digest() for key in counts["group"]])
    ).sort("draw", "group")
    # The group that brings the share nearest to what was asked for is the last one.
    total = drawn["len"].cum_sum().to_numpy()
    last = int(np.abs(total - fraction * len(pairs)).argmin()) + 1 if len(total) else 0
    last = min(last, len(total) - 1)
    if last < 1:
        raise InputError(
            f"{len(pairs):,} pair{' is' if len(pairs) == 1 else 's are'} too few to split off {fraction:.0%} "
            f"(all {kind} stay together, and there is "
            f"{'only one such group' if len(counts) == 1 else 'nothing else'}): give the parts as files of their own "
            "(data.valid, data.test) or add pairs"
        )
    chosen = pairs["group"].is_in(drawn["group"][:last].to_list())
    return pairs.filter(~chosen), pairs.filter(chosen)


def without(train: pl.DataFrame, *others: pl.DataFrame) -> pl.DataFrame:
    """The training pairs of which no other part has both source and target, compared as `keys` does."""
    known = pl.concat([_both(other) for other in others])
    fresh = _both(train).with_row_index("at").join(known, on=["inputs", "target"], how="anti")
    return train[fresh["at"].sort().to_numpy()]


def _both(pairs: pl.DataFrame) -> pl.DataFrame:
    """The keys of both sides."""
    return pairs.select(keys(pairs[name]).alias(name) for name in ("inputs", "target"))


def overlap(train: pl.DataFrame, other: pl.DataFrame, part: str) -> list[str]:
    """How much of another part stands in training as well, compared without case, spaces and punctuation."""
    told = []
    pairs = len(_both(other).join(_both(train).unique(), on=["inputs", "target"], how="semi"))
    if pairs:
        told.append(f"{pairs:,} of {len(other):,} {part} pairs also stand in training, source and target.")
    for column, name in (("inputs", "sources"), ("target", "targets")):
        seen = int(keys(other[column]).is_in(keys(train[column]).unique().to_list()).sum())
        if seen or column == "target":
            told.append(f"{seen:,} of {len(other):,} {part} {name} also stand in training.")
    return told
