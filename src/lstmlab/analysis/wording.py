"""What the texts that a classifier gets wrong have in common: words, a rating in figures. Each by a test."""

import math
import re
from collections import Counter
from dataclasses import dataclass

import numpy as np

from lstmlab.analysis.answers import Answers
from lstmlab.baselines import WORD
from lstmlab.metrics.significance import SURE, equal_shares, holm, p_word
from lstmlab.report import excerpt

LEAST_WRONG, LEAST_TEXTS = 30, 20
"""Fewer mistakes, or fewer texts with a word, are not asked about it."""
SHOWN = 6
RATED = 0.02
"""Share of texts with a rating from which on ratings are asked about."""
RATING = re.compile(r"(?<![\d/.,])\d{1,3}(?:[.,]\d)?\s?/\s?(?:5|10|100)(?![\d/])")


@dataclass(frozen=True)
class Telling:
    """A word, in how many texts it stands, and the share of them that are wrong."""

    word: str
    count: int
    wrong: float

    @property
    def words(self) -> str:
        """The word with its numbers."""
        return f"“{excerpt(self.word, 30)}” ({100 * self.wrong:.1f} % of {self.count:,})"


def common_words(answers: Answers) -> list[str]:
    """What wrong answers have in common, a sentence each; nothing where nothing is beyond chance."""
    if answers.things[0] != "text" or len(answers.wrong) < LEAST_WRONG:
        return []
    return [*_told(*telling(answers), answers), *rating_words(answers)]


def _told(more: list[Telling], fewer: list[Telling], answers: Answers) -> list[str]:
    parts = [f"{name} in texts with {', '.join(one.words for one in found)}"
             for name, found in (("more often wrong", more), ("less often", fewer)) if found]  # fmt: skip
    if not parts:
        return []
    share = 100 * len(answers.wrong) / len(answers.rows)
    return [
        f"Words that go with mistakes beyond chance (log-odds, p < {SURE:g} after Holm over all words asked): of all "
        f"texts {share:.1f} % are wrong; {'; '.join(parts)}."
    ]


def telling(answers: Answers) -> tuple[list[Telling], list[Telling]]:
    """Words that stand in wrong answers more often than in right ones, and those that do less often, the surest first.

    A word counts once a text. Its log-odds ratio (half a text added to each of the four counts: Haldane 1956, Anscombe
    1956) is held against its standard error; p is corrected after Holm for the number of words.
    """
    wrong = answers.targets != answers.predictions
    every: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    known: dict[str, list[str]] = {}  # most pieces between blanks come again
    for row, bad in zip(answers.rows, wrong.tolist(), strict=True):
        found: set[str] = set()
        for piece in set(str(row["input"]).lower().split()):
            if piece not in known:
                known[piece] = re.findall(WORD, piece)
            found.update(known[piece])
        every.update(found)
        if bad:
            missed.update(found)
    names = sorted(word for word, count in every.items() if LEAST_TEXTS <= count <= len(wrong) - LEAST_TEXTS)
    if not names:
        return [], []
    with_word = np.array([every[name] for name in names], float)
    bad = np.array([missed[name] for name in names], float)
    good, all_bad = with_word - bad, float(wrong.sum())
    cells = np.stack([bad, good, all_bad - bad, len(wrong) - all_bad - good]) + 0.5
    z = (np.log(cells[0] * cells[3]) - np.log(cells[1] * cells[2])) / np.sqrt((1 / cells).sum(0))
    sure = np.array(holm([math.erfc(abs(one) / math.sqrt(2)) for one in z.tolist()])) < SURE
    order = np.argsort(-np.abs(z), kind="stable")
    more, fewer = ([Telling(names[at], int(with_word[at]), float(bad[at] / with_word[at]))
              for at in order if sure[at] and (z[at] > 0) == often][:SHOWN] for often in (True, False))  # fmt: skip
    return more, fewer


def rating_words(answers: Answers) -> list[str]:
    """Whether texts that name a rating in figures, such as 3/10, are easier; nothing where few do."""
    rated = np.array(["/" in row["input"] and bool(RATING.search(row["input"])) for row in answers.rows])
    counts = [int(rated.sum()), int((~rated).sum())]
    if counts[0] < max(RATED * len(rated), LEAST_TEXTS) or not counts[1]:
        return []
    good = answers.targets == answers.predictions
    right = [int((good & rated).sum()), int((good & ~rated).sum())]
    shares = [100 * one / count for one, count in zip(right, counts, strict=True)]
    p = equal_shares(right, counts)
    return [
        f"{100 * counts[0] / len(rated):.1f} % of the texts name a rating in figures (such as 3/10): {shares[0]:.1f} % "
        f"of these are right, {shares[1]:.1f} % of the others ({p_word(p)}{', no clear difference' * (p >= SURE)})."
    ]


def apart_words(answers: Answers) -> list[str]:
    """A text that the model alone has right and one that the best baseline alone has: those it was surest about."""
    if answers.rival_right is None or answers.things[0] != "text":
        return []
    right, sure = answers.targets == answers.predictions, answers.probabilities.max(1)
    told = []
    for who, here in (("the model", right & ~answers.rival_right), ("the best baseline", ~right & answers.rival_right)):
        if here.any():
            at = int(np.where(here, sure, -1).argmax())
            truth = answers.names[int(answers.targets[at])]
            told.append(f"{who} alone knows “{excerpt(answers.text(at), 110)}” to be “{excerpt(truth, 30)}”")
    return [f"Where they disagree, the model's surest answers: {'; '.join(told)}."] if told else []
