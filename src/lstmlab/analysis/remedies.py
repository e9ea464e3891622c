"""What to try against each thing a verdict can say: changes worth a run, each as the words to add to its command."""

from collections.abc import Callable

from lstmlab.analysis.architecture import PAIRS, encoder_kind, setting
from lstmlab.analysis.verdict import Verdict
from lstmlab.training.questions import measured
from lstmlab.training.run import Run


def against(run: Run, verdict: Verdict) -> list[str]:
    """For all that was observed, the main thing first, each change once."""
    found: list[str] = []
    for kind in dict.fromkeys(one.kind for one in verdict.observations):
        found += [one for one in REMEDIES.get(kind, lambda run, verdict: [])(run, verdict) if one not in found]
    return found


def longer(run: Run) -> str:
    """Twice the budget."""
    training = run.recipe["training"]
    budget = next((name for name in ("epochs", "steps", "minutes") if training.get(name)), "epochs")
    return f"{budget}={2 * (training.get(budget) or 5):g}"


def _rate(run: Run) -> float:
    return float(run.recipe["training"]["optimizer"]["learning_rate"])


def _overfitting(run: Run, verdict: Verdict) -> list[str]:
    training, model, found = run.recipe["training"], run.recipe["model"], []
    if not training.get("patience"):
        found.append(
            "Stop when validation no longer gets better, since what follows costs time and helps nothing: patience=3."
        )
    if run.recipe["task"] in ("classification", "pairs"):
        if (model.get("dropout") or 0) < 0.5:
            found.append(f"More dropout before the output (now {model.get('dropout') or 0:g}): model.dropout=0.5.")
        if not (measured(run) or model.get("embedding", {}).get("word_dropout")):
            found.append("Leave out whole words while training: word_dropout=0.3.")
    if run.recipe["task"] in PAIRS:
        dropped = setting(run, "model.decoder.dropout") or 0
        if dropped < 0.5:
            found.append(f"More dropout before the output (now {dropped:g}): decoder.dropout={dropped + 0.2:g}.")
        if not model.get("label_smoothing"):
            found.append("Spread a tenth of the truth over the vocabulary: label_smoothing=0.1.")
    if training["optimizer"].get("average") is None:
        found.append("Score a running average of the weights: average=0.99.")
    key = "encoder.hidden_size" if run.recipe["task"] in PAIRS else "hidden_size"
    if units := (model.get("encoder") or {}).get("hidden_size"):
        found.append(f"More training data, or a smaller model: {key}={max(units // 2, 1)}.")
    return found


def _underfitting(run: Run, verdict: Verdict) -> list[str]:
    found = [] if _rate_told(verdict) else [f"A larger learning rate: learning_rate={3 * _rate(run):g}."]
    return [
        *found,
        f"More training: {longer(run)}.",
        "Should neither help, look whether the labels follow from the inputs at all: lstmlab data check.",
    ]


def _stuck(run: Run, verdict: Verdict) -> list[str]:
    """What could be the reason, the cheapest to try first. Where the learning rate is accused, its own advice is."""
    look = "Look whether the labels follow from the inputs, by reading twenty examples and by: lstmlab data check."
    if _rate_told(verdict):
        return []
    if verdict.kind == "overfitting":  # learned by heart
        return [look]
    found = [look]
    if encoder_kind(run) == "recurrent":
        if run.recipe["model"]["encoder"]["cell"] in ("rnn", "rnn-relu"):
            found.append("A cell with gates, through which gradients reach further back: cell=lstm.")
        found.append("See how far back gradients reach: lstmlab explain RUN gradients.")
    return [*found, f"A larger learning rate: learning_rate={3 * _rate(run):g}.",
            f"More training, as some rules are found late and at once: {longer(run)}."]  # fmt: skip


def _unstable(run: Run, verdict: Verdict) -> list[str]:
    found = [] if _rate_told(verdict) else [f"A smaller learning rate: learning_rate={_rate(run) / 3:.2g}."]
    if not run.recipe["training"]["optimizer"].get("clip"):
        found.append("Clip the gradient: clip=1.0.")
    return found


def _too_high(run: Run, verdict: Verdict) -> list[str]:
    return [f"A learning rate ten times smaller: learning_rate={_rate(run) / 10:.2g}."]


def _too_low(run: Run, verdict: Verdict) -> list[str]:
    return [f"A learning rate ten times larger, and once more should that not do: learning_rate={10 * _rate(run):.2g}."]


def _improving(run: Run, verdict: Verdict) -> list[str]:
    """Falling training loss alone is no reason to train longer: that of a model that overfits falls too."""
    if any("valid" in row for row in run.history):
        return [f"Train longer: {longer(run)}."]
    data, task = run.recipe["data"], run.recipe["task"]
    said = "Keep a validation part, as falling training loss alone does not tell when to stop"
    if data.get("join_valid"):
        return [f"{said}: join_valid=false."]
    return [f"{said}: valid_fraction=0.1."] if task == "forecasting" and not data.get("valid") else [f"{said}."]


def _too_short(run: Run, verdict: Verdict) -> list[str]:
    return [f"More epochs, so that a trend can be seen: {longer(run)}."]


def _too_small(run: Run, verdict: Verdict) -> list[str]:
    data = run.recipe["data"]
    said = "Judge by more examples before believing a difference"
    own = data.get("path") and not data.get("valid") and data.get("valid_fraction", 1) < 0.3
    larger = f" (a larger validation part: valid_fraction={min(2 * data['valid_fraction'], 0.3):g})" if own else ""
    return [f"{said}: by several seeds, or by a larger part{larger}."]


def _rate_told(verdict: Verdict) -> bool:
    return bool(verdict.kinds & {"learning rate too high", "learning rate too low"})


REMEDIES: dict[str, Callable[[Run, Verdict], list[str]]] = {
    "overfitting": _overfitting,
    "underfitting": _underfitting,
    "stuck at chance": _stuck,
    "unstable": _unstable,
    "learning rate too high": _too_high,
    "learning rate too low": _too_low,
    "still improving": _improving,
    "too short to tell": _too_short,
    "validation too small to tell": _too_small,
}
"""By the kind of observation. A sound training needs nothing."""
