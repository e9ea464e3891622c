"""Scores as pure functions, each with its unit and its direction.

Every function raises InputError where there is nothing to score and ValueError where targets and predictions do not
fit each other.
"""

from lstmlab.metrics.forecasts import coverage, mae, mase, mase_scale, mse, quantile_loss, rmse, smape
from lstmlab.metrics.grades import pearson, pearson_interval, spearman
from lstmlab.metrics.labels import (
    Bin,
    ClassScore,
    accuracy,
    calibration,
    calibration_error,
    confusion,
    interval,
    loss,
    macro_f1,
    per_class,
)
from lstmlab.metrics.scores import SCORES, Score, format_score
from lstmlab.metrics.tags import SpanScore, macro_span_f1, span_scores
from lstmlab.metrics.texts import (
    TOKENIZERS,
    TextScores,
    corpus_scores,
    distinct,
    exact_match,
    generic_share,
    perplexity,
    repeated_share,
    sentence_bleu,
    sentence_chrf,
    token_accuracy,
)

__all__ = [
    "SCORES", "Score", "format_score",
    "Bin", "ClassScore", "accuracy", "calibration", "calibration_error", "confusion", "interval", "loss", "macro_f1",
    "per_class",
    "mae", "mase", "mase_scale", "mse", "rmse", "smape", "quantile_loss", "coverage",
    "pearson", "pearson_interval", "spearman",
    "SpanScore", "span_scores", "macro_span_f1",
    "TOKENIZERS", "TextScores", "corpus_scores", "sentence_bleu", "sentence_chrf", "exact_match", "token_accuracy",
    "perplexity", "distinct", "repeated_share", "generic_share",
]  # fmt: skip
