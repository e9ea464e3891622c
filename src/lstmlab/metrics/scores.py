"""The scores by name: title, unit, direction, and how each is written for people."""

import math
from dataclasses import dataclass

from lstmlab.errors import unknown


@dataclass(frozen=True)
class Score:
    """What a score is called, measured in and wanted to be."""

    name: str
    title: str
    unit: str
    """As shown; empty for a plain ratio, "series" for the unit of the series itself."""
    higher_is_better: bool
    scale: float = 1.0
    """The stored value times this is the one shown."""
    decimals: int = 4
    """Digits shown behind the point of what is no percentage."""

    @property
    def heading(self) -> str:
        """Title, unit and direction, for a table's column or an axis."""
        unit = {"": "", "series": " (unit of the series)"}.get(self.unit, f" ({self.unit})")
        return f"{self.title}{unit} {'↑' if self.higher_is_better else '↓'}"


SCORES = {
    score.name: score
    for score in (
        Score("accuracy", "Accuracy", "%", True, 100.0),
        Score("macro_f1", "Macro F1", "%", True, 100.0),
        Score("span_f1", "Span F1 (strict)", "%", True, 100.0),
        Score("span_precision", "Span precision", "%", True, 100.0),
        Score("span_recall", "Span recall", "%", True, 100.0),
        Score("span_f1_macro", "Span F1, mean of kinds", "%", True, 100.0),
        Score("span_f1_lenient", "Span F1 (conlleval)", "%", True, 100.0),
        Score("accuracy_unseen", "Accuracy on unseen words", "%", True, 100.0),
        Score("pearson", "Pearson's r", "", True),
        Score("spearman", "Spearman's ρ", "", True),
        Score("mse", "Mean squared error", "", False),
        Score("loss", "Loss", "nats", False),
        Score("calibration_error", "Calibration error", "%", False, 100.0),
        Score("rmse", "RMSE", "series", False),
        Score("mae", "MAE", "series", False),
        Score("smape", "sMAPE", "%", False, 100.0),
        Score("mase", "MASE", "", False),
        Score("skill", "Skill over the best naive forecast", "%", True, 100.0),
        Score("mse_scaled", "MSE", "scaled", False),
        Score("mae_scaled", "MAE", "scaled", False),
        Score("quantile_loss", "Quantile loss", "series", False),
        Score("coverage", "Coverage", "%", True, 100.0),
        Score("bleu", "BLEU", "0–100", True, decimals=2),
        Score("chrf", "chrF", "0–100", True, decimals=2),
        Score("ter", "TER", "edits per 100 words", False, decimals=2),
        Score("exact_match", "Exact match", "%", True, 100.0),
        Score("token_accuracy", "Token accuracy", "%", True, 100.0),
        Score("nats_per_character", "Nats per character", "nats", False),
        Score("bits_per_character", "Bits per character", "bits", False),
        Score("perplexity", "Perplexity", "", False, decimals=2),
        Score("distinct_1", "Distinct-1", "%", True, 100.0),
        Score("distinct_2", "Distinct-2", "%", True, 100.0),
        Score("repeated_replies", "Repeated replies", "%", False, 100.0),
        Score("generic_replies", "Generic replies", "%", False, 100.0),
    )
}


def format_score(name: str, value: float | None) -> str:
    """A score as people read it: "81.25 %", "0.4405"; "–" where it is undefined (None or not a number)."""
    if name not in SCORES:
        raise unknown("score", name, SCORES)
    if value is None or math.isnan(value):
        return "–"
    shown = value * SCORES[name].scale
    if SCORES[name].unit == "%":
        return f"{shown:.2f} %"
    if shown != 0 and abs(shown) < 1e-3:
        return f"{shown:.2e}"
    return f"{shown:.{SCORES[name].decimals if abs(shown) < 100 else 2}f}"
