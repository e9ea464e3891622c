"""Scores of generated text, and of the simple methods it has to beat on the same part."""

import re
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from lstmlab import baselines, metrics
from lstmlab.baselines import PIECE
from lstmlab.data import cache
from lstmlab.data.corpus import Part
from lstmlab.data.load import Watch
from lstmlab.data.tokens import Tokens
from lstmlab.tasks.task import Scores

Texts = Sequence[str]
Rivals = Callable[[Part, Part, Watch, bool], dict[str, Scores]]


def tokenizer(references: Texts) -> str:
    """How BLEU should cut these texts into words: by character where a script has no blanks (Chinese, Japanese, Thai),
    at every script's punctuation where it is not Latin, Greek or Cyrillic, else the usual way.
    """
    text = "".join(references[:1000])
    letters = max(len(re.findall(r"\w", text)), 1)
    if len(re.findall(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]", text)) > 0.3 * letters:
        return "char"
    return "intl" if len(re.findall(r"[\u0530-\u0dff]", text)) > 0.3 * letters else "13a"


def text_scores(said: Texts, wanted: Texts, *, lowercase: bool) -> Scores:
    """BLEU, chrF, TER and the share of exact matches."""
    cut = tokenizer(wanted)
    found = metrics.corpus_scores(said, wanted, lowercase=lowercase, tokenize=cut, samples=1)
    return {**found.scores, "exact_match": metrics.exact_match(said, wanted)}


def signatures(wanted: Texts, *, lowercase: bool) -> dict[str, str]:
    """How BLEU, chrF and TER are computed, in sacreBLEU's words."""
    some = list(wanted[:1000]) or [""]
    return metrics.corpus_scores(some, some, lowercase=lowercase, tokenize=tokenizer(some), samples=1).signatures


def variety(said: Texts, asked: Texts) -> Scores:
    """How much replies differ from each other."""
    pieces = [re.findall(PIECE, text.lower()) for text in said]
    return {
        "distinct_1": metrics.distinct(pieces, 1),
        "distinct_2": metrics.distinct(pieces, 2),
        "repeated_replies": metrics.repeated_share(said),
        "generic_replies": metrics.generic_share(asked, said),
    }


def translation(train: Part, test: Part, watch: Watch, lowercase: bool) -> dict[str, Scores]:
    """The source copied, and translated word for word with a dictionary learned from the training pairs."""
    watch.say(f"Learning a dictionary from {len(train):,} training pairs (the word-for-word baseline)")
    dictionary = baselines.WordForWord.fit(train.inputs, train.targets)
    said = {
        "source copied": baselines.copy_source(test.inputs),
        "word for word": dictionary.translate(test.inputs),
    }
    return {name: text_scores(texts, test.targets, lowercase=lowercase) for name, texts in said.items()}


def dialogue(train: Part, test: Part, watch: Watch, lowercase: bool) -> dict[str, Scores]:
    """The reply to the most similar training source, and the references themselves, whose variety is the measure."""
    watch.say(f"Looking up the most similar of {len(train):,} training sources (the retrieval baseline)")
    retrieved = baselines.Retrieval.fit(train.inputs, train.targets).reply(test.inputs)
    return {
        "TF-IDF retrieval": {
            **text_scores(retrieved, test.targets, lowercase=lowercase),
            **variety(retrieved, test.inputs),
        },
        "the references": variety(test.targets, test.inputs),
    }


def frequencies(train: Tokens, test: Tokens, size: int) -> tuple[float, int]:
    """The loss in nats of the test part's tokens, and their number, where each token has the probability it has in
    training (one occurrence added to each of `size` tokens). Begin marks, which nobody predicts, do not count.
    """
    counts = np.bincount(_predicted(train), minlength=size) + 1.0
    asked = _predicted(test)
    return float(-np.log(counts / counts.sum())[asked].sum()), len(asked)


def _predicted(tokens: Tokens) -> NDArray[np.int32]:
    """All tokens but the first of each text."""
    return np.delete(tokens.ids, tokens.offsets[:-1])


def cached(rivals: Rivals, train: Part, test: Part, watch: Watch, *, lowercase: bool) -> dict[str, Scores]:
    """What `rivals` finds, from the cache where it was found before."""
    key = cache.key("baseline", rivals.__name__, train.fingerprint, test.fingerprint, lowercase)
    return cache.value("scores", key, lambda: rivals(train, test, watch, lowercase), watch.say)
