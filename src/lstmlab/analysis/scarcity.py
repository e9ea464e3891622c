"""Honest words about little data: how much there was to learn from, and how much of the test part was hardly seen."""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from lstmlab.analysis.outputs import Outputs
from lstmlab.data.sentences import Language, Languages
from lstmlab.data.text import UNKNOWN
from lstmlab.training.run import Run

FEW = 10_000
"""Training pairs below which a model of sequences is called short of data."""
MANY = 0.05
"""From this share of words outside the vocabulary on it is said."""
SPLIT = 3
"""Pieces into which subwords cut a word that was rarely seen."""
RARE = 0.3
"""From this share of words cut so on it is said."""


def words(run: Run, outputs: Outputs) -> list[str]:
    """What little data means for these outputs, a paragraph each; nothing where there was enough."""
    found = [_few(run), *_strange(run, outputs)]
    return [one for one in found if one]


def scarce(run: Run) -> bool:
    """Whether there were few training pairs."""
    return bool(run.summary["data"].get("parts", {}).get("train", FEW) < FEW)


def _few(run: Run) -> str:
    if not scarce(run):
        return ""
    pairs = run.summary["data"]["parts"]["train"]
    return (
        f"Little data: {pairs:,} training pairs, where encoder-decoders want tens of thousands and more (Koehn & "
        "Knowles 2017, for translation). It will fail on sentences unlike those, and more data would gain more than "
        "other settings."
    )


def _strange(run: Run, outputs: Outputs) -> list[str]:
    """Words of the test part that the vocabulary lacks, or that only pieces of it spell."""
    saved = run.saved_task.get("languages")
    if not saved:
        return []
    languages = Languages.from_json(saved)
    level = languages.source.encoder.settings.level
    if level == "word":
        return [_unknown(languages, outputs)]
    return [_split(languages.source, outputs.sources)] if level == "subword" else []


def _unknown(languages: Languages, outputs: Outputs) -> str:
    sides = (
        ("sources", languages.source.encoder.encode([text.replace("\n", " ") for text in outputs.sources])),
        ("references", languages.target.encoder.encode(outputs.wanted)),
    )
    shares = {name: float((tokens.ids == UNKNOWN).mean()) if len(tokens.ids) else 0.0 for name, tokens in sides}
    if max(shares.values()) < MANY:
        return ""
    read, wanted = (f"{100 * shares[name]:.1f} %" for name in ("sources", "references"))
    return (
        f"Unknown words: {read} of the words and marks of the test sources and {wanted} of those of the references "
        "are not in the vocabulary. What is not in it can be neither understood nor, but for copying, be written."
    )


def _split(language: Language, texts: Sequence[str]) -> str:
    times = Counter(word for text in texts for word in re.findall(r"\S*\w\S*", text))
    if not times:
        return ""
    sizes = language.encoder.encode([f" {word}" for word in times]).lengths
    counts = np.array(list(times.values()))
    share = float(counts[sizes >= SPLIT].sum() / counts.sum())
    if share < RARE:
        return ""
    return (
        f"Rare words: {100 * share:.0f} % of the words of the test sources are spelled in {SPLIT} pieces or more: "
        "the training part hardly holds them as they are, and what they mean has to be put together from parts."
    )
