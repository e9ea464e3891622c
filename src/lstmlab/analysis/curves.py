"""Learning curves: loss and scores by epoch, the verdict on them, how they were measured."""

from typing import Any

import numpy as np

from lstmlab.analysis.architecture import PAIRS
from lstmlab.analysis.comparison import main_score
from lstmlab.analysis.outputs import target_tokens
from lstmlab.analysis.verdict import Curves, History, Verdict, series, verdict
from lstmlab.metrics import SCORES
from lstmlab.report import Figure, Section, number
from lstmlab.training.run import Run

__all__ = ["Curves", "Verdict", "judge", "section", "series", "verdict"]


def judge(run: Run) -> Verdict:
    """The verdict on a run, beside what a blind guess reaches on its test part."""
    known: dict[str, float] = {}
    if run.finished:
        majority = run.metrics.get("baseline", {}).get("majority class", {}).get("accuracy")
        if majority is not None:
            known["baseline"] = float(majority)
        elif run.recipe["task"] == "forecasting" and run.predictions:
            shown = np.array([value for row in run.predictions for value in (*row["input"], *row["target"])], float)
            # The loss is taken in scaled units, in which a standardised series has the variance 1.
            known["blind_loss"] = 1.0 if run.recipe["data"].get("scale") == "standard" else float(shown.var())
    if run.recipe["task"] == "language-model":
        known["blind_loss"] = float(np.log(max(len((run.saved_task.get("encoder") or {}).get("vocabulary", ())), 2)))
    if run.recipe["task"] in PAIRS and (tokens := target_tokens(run)):
        known["blind_loss"] = float(np.log(tokens))
    return verdict(run.history, **known)


def section(run: Run) -> Section:
    """Loss and scores by epoch, and what they say."""
    history, found = run.history, judge(run)
    told = [found.evidence, _measured(run)] if history else []
    if found.best_epoch is not None:
        told.append(_kept(run, found.best_epoch))
    return Section("Training", found.sentence, " ".join(filter(None, told)), figures=_figures(history, found, run))


def _kept(run: Run, least: int) -> str:
    """Which epoch's weights were kept, and by what."""
    best = run.metrics.get("best_epoch", least) if run.finished else least
    several = run.recipe["training"].get("average_epochs", 1)
    if several > 1:
        count = min(several, len(run.history))
        return f"What is kept and scored is the mean of the weights of the {count} best epochs (the best one: {best})."
    if run.recipe["training"].get("best", "loss") == "loss" or best == least:
        kept = "The weights of the epoch with the least validation loss are the ones kept and scored"
        return f"{kept} (epoch {least}, marked in the figure)."
    score = SCORES[main_score(run)].title
    return (
        f"The weights of the epoch with the best validation {score} are the ones kept and scored (epoch {best}); the "
        f"figure marks the one with the least validation loss (epoch {least})."
    )


def _measured(run: Run) -> str:
    model = run.recipe.get("model", {})
    places = (model, *(model.get(part) or {} for part in ("embedding", "encoder", "decoder")))
    noises = ("dropout", "word_dropout", "locked_dropout", "memory_dropout", "input_noise")
    noisy = any(place.get(name) for place in places for name in noises)
    how = (
        ", with dropout on" if noisy and not model.get("input_noise") else ", with noise on the inputs" if noisy else ""
    )
    averaged = run.recipe["training"]["optimizer"].get("average") is not None
    after = f"; validation scores after each epoch{', with the averaged weights' if averaged else ''}"
    with_valid = any("valid" in row for row in run.history)
    told = f"Training scores are measured while training{how}, over the epoch's changing weights"
    return " ".join(filter(None, [f"{told}{after if with_valid else ''}.", _measured_tokens(run)]))


def _measured_tokens(run: Run) -> str:
    """What loss and token accuracy of a decoder are measured on."""
    if run.recipe["task"] not in PAIRS:
        return ""
    smoothed = ", without the smoothing that is trained with," if run.recipe["model"].get("label_smoothing") else ""
    tokens = target_tokens(run)
    blind = f" (a blind guess among {tokens:,} tokens has {number(float(np.log(tokens)))})" if tokens else ""
    return (
        f"Loss{smoothed} is in nats a target token{blind} and, like token accuracy, measured with the true tokens "
        "before it given; other scores are of answers written without them (greedily, to the same validation sources)."
    )


def _figures(history: History, found: Verdict, run: Run) -> list[Figure]:
    if not history:
        return []
    pair = run.recipe["task"] in PAIRS
    panels = _panels(history, run)
    rates = np.array([float(row.get("learning_rate", np.nan)) for row in history])
    # An encoder-decoder has another score to show in the place where others show their schedule.
    varies = bool(np.ptp(rates) > 0) and not pair
    count = len(panels) + varies

    def draw(figure: Any) -> None:
        axes = iter(figure.subplots(1, count, squeeze=False)[0])
        for score, title, scale in panels:
            _draw_curve(next(axes), history, score, title, scale, found.best_epoch)
        if varies:
            panel = next(axes)
            panel.plot([row["epoch"] for row in history], rates, "o-" if len(history) < 30 else "-", color="#4D4D4D")
            panel.set(title="Learning rate", xlabel="Epoch", ylabel="Learning rate at the end")
            panel.ticklabel_format(axis="y", scilimits=(-2, 3))
            _whole_epochs(panel)

    marked = "" if found.best_epoch is None else " The dashed line marks the epoch of least validation loss."
    return [
        Figure(
            "curves",
            "Learning curves.",
            draw,
            note=found.sentence + marked,
            width=3.2 * count if count < 3 else 7.2,
            height=2.1 if pair else 2.5,
        )
    ]


def _panels(history: History, run: Run) -> list[tuple[str, str, float]]:
    """What is drawn over the epochs: (score, title with unit, scale), those that the history knows."""
    task = run.recipe["task"]
    units = {"forecasting": "squared scaled units", "tagging": "nats a word"}
    units |= dict.fromkeys((*PAIRS, "language-model"), "nats a token")
    unit = units.get(task, "nats")
    plain = "accuracy" if np.isfinite(series(history, "train", "accuracy")).any() else "mae"
    of_texts = {
        "tagging": ["accuracy", "span_f1"],
        "pairs": ["accuracy", "mse"],
        "language-model": ["token_accuracy"],
        "translation": ["token_accuracy", "bleu"],
        "dialogue": ["token_accuracy", "distinct_2"],
    }
    wanted = of_texts.get(task, [plain])
    known = [
        score for score in wanted if any(np.isfinite(series(history, part, score)).any() for part in ("train", "valid"))
    ]
    titles = [(score, SCORES[score].heading.rsplit(" ", 1)[0], SCORES[score].scale) for score in known]
    return [("loss", f"Loss ({unit})", 1.0), *titles]


def _draw_curve(axes: Any, history: History, score: str, title: str, scale: float, best: int | None) -> None:
    epochs = [row["epoch"] for row in history]
    drawn = []
    for part, word in (("train", "training"), ("valid", "validation")):
        values = series(history, part, score) * scale
        if np.isfinite(values).any():
            axes.plot(epochs, values, "o-" if len(epochs) < 30 else "-", label=word)
            drawn.append(values[np.isfinite(values)])
    every = np.concatenate(drawn) if drawn else np.ones(1)
    # Two powers of ten and the smaller values would lie on the axis. A score has a zero to be seen from.
    if score in ("loss", "mae") and every.min() > 0 and every.max() > 100 * every.min():
        axes.set_yscale("log")
    if best is not None:
        axes.axvline(best, color="#7b8794", linestyle="--", linewidth=1)
    if drawn:
        axes.legend()
    axes.set(title=title.split(" (")[0], xlabel="Epoch", ylabel=title)
    _whole_epochs(axes)


def _whole_epochs(axes: Any) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6, min_n_ticks=1))
