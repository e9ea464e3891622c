"""What a score has to beat: simple methods, fitted on the training part alone."""

from lstmlab.baselines.forecasts import drift, last_value, mean, seasonal_naive
from lstmlab.baselines.labels import MANY, SETTINGS, linear_ngrams, linear_signals, linear_text, majority
from lstmlab.baselines.ngrams import kneser_ney, unigram
from lstmlab.baselines.pairs import linear_labels, linear_scores, overlap_labels, overlap_scores
from lstmlab.baselines.tags import linear_tags, most_frequent_tags
from lstmlab.baselines.texts import Retrieval, WordForWord, copy_source
from lstmlab.baselines.words import PIECE, TOKEN, WORD

__all__ = [
    "MANY", "SETTINGS", "linear_text", "linear_ngrams", "linear_signals", "majority",
    "overlap_labels", "overlap_scores", "linear_labels", "linear_scores",
    "most_frequent_tags", "linear_tags",
    "last_value", "seasonal_naive", "drift", "mean",
    "unigram", "kneser_ney",
    "Retrieval", "WordForWord", "copy_source",
    "PIECE", "TOKEN", "WORD",
]  # fmt: skip
