"""Splits that keep together what belongs together: all pairs with one source sentence, all pairs of one dialogue."""

import hashlib
import unicodedata
from collections.abc import Iterator

import numpy as np
import polars as pl
from jaxtyping import Bool, Int

from lstmlab.data.corpus import shuffled
from lstmlab.errors import InputError

_IGNORED = r"[\p{P}\p{Z}\p{C}\s]+"
"""Punctuation, white space of every kind, and what is not seen at all."""
LINKS = (
    "pairs with a text in common kept together",
    "pairs with one first text kept together, and the same two texts in either order (too many pairs are linked by "
    "having either text in common)",
    "the same two texts kept together in either order (too many pairs are linked by their first texts)",
)
"""What belongs together of pairs of texts, the widest first: linked pairs, and the pairs linked to those, and so on."""


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


def split_linked(pairs: pl.DataFrame, fraction: float, seed: int) -> tuple[pl.DataFrame, pl.DataFrame, str]:
    """Split off about `fraction` (0 to 1) of pairs of texts (inputs, target: a label or null), labels in proportion as
    far as groups allow. Returns (rest, split off, what stays together: one of LINKS), both in order.

    A wider group is given up where the largest would have more than half of the pairs, or where too little could be
    split off. Raises InputError where either side would be empty.
    """
    labels = pairs["target"].cast(pl.String).fill_null("").rank("dense").to_numpy().astype(np.int64) - 1
    for groups, told in zip(_linked(pairs["inputs"]), LINKS, strict=True):
        chosen, last = _drawn(groups, labels, fraction, seed), told == LINKS[-1]
        giant = 2 * np.bincount(groups, minlength=1).max() > len(pairs)
        if chosen.any() and (last or (not giant and 2 * chosen.sum() >= int(fraction * len(pairs)))):
            return pairs.filter(~chosen), pairs.filter(chosen), told
    raise InputError(
        f"{len(pairs):,} pair{' is' if len(pairs) == 1 else 's are'} too few to split off {fraction:.0%} (the same two "
        "texts stay together, and at least one pair of each label is left): give the parts as files of their own "
        "(data.valid, data.test) or add pairs"
    )


def _linked(pairs: pl.Series) -> Iterator[Int[np.ndarray, "N"]]:
    """The groups of pairs of texts, by each of LINKS."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    texts = keys(pl.concat([pairs.list.get(0), pairs.list.get(1)])).rank("dense").to_numpy().astype(np.int64)
    first, second = texts[: len(pairs)], texts[len(pairs) :]
    count = int(texts.max(initial=0)) + 1
    there, back = first * count + second, second * count + first
    both_ways = np.isin(there, back)
    for edges in (slice(None), both_ways):
        one, other = first[edges], second[edges]
        graph = coo_array((np.ones(len(one), bool), (one, other)), shape=(count, count))
        yield connected_components(graph, directed=False)[1][first].astype(np.int64)
    yield np.unique(np.minimum(there, back), return_inverse=True)[1].reshape(-1)


def _drawn(
    groups: Int[np.ndarray, "N"], labels: Int[np.ndarray, "N"], fraction: float, seed: int
) -> Bool[np.ndarray, "N"]:
    """Groups drawn by chance, each taken where it brings the number of each label nearer to what is wanted (least
    squares), until that is reached. At least one example of each label is left.
    """
    left = np.bincount(labels)
    wanted, owed = np.zeros(len(left), np.int64), 0.0
    for label, number in enumerate(left):  # a running share: the total is right though each label is rounded
        owed += fraction * number
        wanted[label] = min(int(owed + 0.5), number - 1)
        owed -= wanted[label]
    order = np.argsort(groups, kind="stable")
    ends = np.cumsum(np.bincount(groups))
    chosen = np.zeros(len(groups), bool)
    for group in shuffled(len(ends), seed):
        rows = order[ends[group - 1] if group else 0 : ends[group]]
        own = np.bincount(labels[rows], minlength=len(left))
        if own @ (own - 2 * wanted) < 0 and ((own < left) | (own == 0)).all():
            chosen[rows] = True
            wanted, left = wanted - own, left - own
            if not wanted.any():
                break
    return chosen


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
