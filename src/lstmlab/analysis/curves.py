"""Learning curves: loss and scores by epoch, the verdict on them, how they were measured."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lstmlab.analysis.architecture import PAIRS
from lstmlab.analysis.outputs import target_tokens
from lstmlab.analysis.verdict import Curves, History, Known, Observation, Verdict, series, verdict
from lstmlab.metrics import SCORES
from lstmlab.report import Figure, Section, number
from lstmlab.training.run import Run, main_score

__all__ = ["Curves", "Known", "Observation", "Verdict", "judge", "known", "section", "series", "verdict"]


def judge(run: Run) -> Verdict:
    """The verdict on a run, beside what a blind guess reaches on its test part."""
    return verdict(run.history, known(run))


def known(run: Run) -> Known:
    """What the run's other files say that helps to judge its history."""
    training, parts = run.recipe["training"], run.summary["data"].get("parts", {})
    optimizer, encoder = training["optimizer"], run.recipe["model"].get("encoder") or {}
    found: dict[str, Any] = {
        "method": optimizer.get("method"),
        "momentum": optimizer.get("momentum", 0.0) if optimizer.get("method") == "sgd" else 0.0,
        "clip": optimizer.get("clip"),
        "rate": optimizer.get("learning_rate"),
        "per_token": run.recipe["task"] in (*PAIRS, "language-model"),
        "hidden_size": encoder.get("hidden_size"),
    }
    task = run.recipe["task"]
    if task in ("classification", "pairs", "tagging"):
        found |= _of_labels(run)
    if task in ("classification", "pairs"):
        found |= {"train_examples": parts.get("train"), "valid_examples": parts.get("valid")}
    if task == "forecasting":
        found |= _of_series(run)
    if task == "language-model":
        found["blind_loss"] = float(np.log(max(len((run.saved_task.get("encoder") or {}).get("vocabulary", ())), 2)))
    if task in PAIRS and (tokens := target_tokens(run)):
        found["blind_loss"] = float(np.log(tokens))
    return Known(**found)


def _of_labels(run: Run) -> dict[str, Any]:
    """Classes: how often the most frequent one is right, what a guess by their shares loses, what an untrained model
    does. Of a tagger only the last: the most frequent tag of each word is no blind guess."""
    names = run.saved_task.get("labels") or run.saved_task.get("tags") or ()
    found: dict[str, Any] = {"start_loss": float(np.log(len(names)))} if len(names) > 1 else {}
    if run.recipe["task"] == "tagging" or not run.finished:
        return found
    majority = run.metrics.get("baseline", {}).get("majority class", {}).get("accuracy")
    labels = [str(row["target"]) for row in run.predictions if row.get("target") is not None and "probabilities" in row]
    if names:
        found["classes"] = len(names)
    if majority is not None and labels:
        shares = np.unique(labels, return_counts=True)[1] / len(labels)
        # Of a small test part the class that is most frequent in training may be less than its share.
        found |= {
            "baseline": max(float(majority), 1 / len(names) if names else 0.0),
            "blind_loss": float(-(shares * np.log(shares)).sum()),
        }
    return found


def _of_series(run: Run) -> dict[str, Any]:
    """A series: its variance, in the scaled units that its loss has."""
    if not run.finished or not run.predictions:
        return {}
    shown = np.array([value for row in run.predictions for value in (*row["input"], *row["target"])], float)
    plain = run.recipe["data"].get("scale") != "standard"
    blind, square = (float(shown.var()), float((shown**2).mean())) if plain else (1.0, 1.0)
    model = run.recipe["model"]
    # One that begins at the last value is off by the difference of two values, which has twice their variance at most.
    follows = model.get("change") or model.get("normalise", "none") != "none"
    return {"blind_loss": blind, "start_loss": 2 * blind if follows else square}


def section(run: Run) -> Section:
    """Loss and scores by epoch, and what they say."""
    history, found = run.history, judge(run)
    told = [one.sentence for one in found.also]
    told += [found.evidence, _measured(run)] if history else []
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
    marks = [(one.epoch, one.kind) for one in found.observations if one.epoch not in (None, found.best_epoch)]

    def draw(figure: Any) -> None:
        axes = iter(figure.subplots(1, count, squeeze=False)[0])
        for score, title, scale in panels:
            panel = next(axes)
            _draw_curve(panel, history, score, title, scale, found.best_epoch)
            if score == "loss":
                _mark(panel, marks)
        if varies:
            panel = next(axes)
            panel.plot([row["epoch"] for row in history], rates, "o-" if len(history) < 30 else "-", color="#4D4D4D")
            panel.set(title="Learning rate", xlabel="Epoch", ylabel="Learning rate at the end")
            panel.ticklabel_format(axis="y", scilimits=(-2, 3))
            _whole_epochs(panel)

    marked = "" if found.best_epoch is None else " The dashed line marks the epoch of least validation loss."
    if marks:
        told = [f"epoch {epoch} ({', '.join(kind for at, kind in marks if at == epoch)})" for epoch, _ in marks]
        marked += f" Dotted: {' and '.join(dict.fromkeys(told))}."
    return [
        Figure(
            "curves",
            "Learning curves.",
            draw,
            note=f"By epoch.{marked}",
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


def _mark(axes: Any, marks: Sequence[tuple[int | None, str]]) -> None:
    """A dotted line where something happens."""
    for epoch in dict.fromkeys(epoch for epoch, _ in marks):
        axes.axvline(epoch, color="#1f2933", linestyle=":", linewidth=1.4)


def _whole_epochs(axes: Any) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6, min_n_ticks=1))
