"""What a classifier gets wrong: which label for which, how sure it was, in which texts, and at what length."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lstmlab import metrics
from lstmlab.analysis import wording
from lstmlab.analysis.answers import BAD_CALIBRATION, Answers, LengthBin, by_length
from lstmlab.metrics import format_score
from lstmlab.metrics.significance import SURE, equal_shares, p_word
from lstmlab.report import Figure, Section, Table, excerpt, number
from lstmlab.report.text import Value
from lstmlab.training.run import Run

MOST_CLASSES = 20
"""With more, a confusion matrix cannot be read on a page."""
FEW_CLASSES = 6
"""Up to here the matrix fits beside the other drawings."""


def applies(run: Run) -> bool:
    """Whether the run put labels on texts whose labels are known."""
    return run.recipe["task"] in ("classification", "pairs") and run.finished and bool(Answers.of(run).rows)


def section(run: Run) -> Section:
    """Mistakes by label, by certainty and by length of the text, with the worst ones to read."""
    answers = Answers.of(run)
    bins = by_length(answers)
    told = [*label_words(answers), calibration_words(answers)]
    told += [*length_words(answers, bins, run), *wording.common_words(answers), *wording.apart_words(answers)]
    told += unsure_words(answers)
    tables = [_per_class(answers), *_confusions(answers), *_length_table(answers, bins), *_texts(answers)]
    return Section("Errors", claim(answers), "\n\n".join(told), tables, _figures(answers, bins))


def claim(answers: Answers) -> str:
    """How much is wrong, and the most frequent mistake."""
    count, wrong = len(answers.rows), len(answers.wrong)
    one, several = answers.things
    if not wrong:
        return f"All {count:,} test {several} are right." if count > 1 else f"The one test {one} is right."
    texts = f"the {count:,} test {several}" if count > 1 else f"the one test {one}"
    share = f"{_percent(wrong / count)} of {texts} are wrong" if count > 1 else f"{texts} is wrong".capitalize()
    true, said, times = answers.confusions[0]
    most = "most often " if len(answers.confusions) > 1 else ""
    return f"{share}; {most}{_name(answers, true)} is taken for {_name(answers, said)} ({_times(times)})."


def _percent(share: float) -> str:
    """4.9 %; one digit more where that would show nothing."""
    return f"{share:.1%}".replace("%", " %") if share >= 0.001 else f"{share:.2%}".replace("%", " %")


def _times(count: int) -> str:
    return "once" if count == 1 else "twice" if count == 2 else f"{count:,} times"


def _name(answers: Answers, label: int) -> str:
    return f"“{excerpt(answers.names[label], 40)}”"


def label_words(answers: Answers) -> list[str]:
    """Labels that are harder than the others, and those never given."""
    scores = [one for one in metrics.per_class(answers.targets, answers.predictions, answers.names) if one.count]
    said = set(answers.predictions.tolist())
    told = []
    never = [_name(answers, at) for at in range(len(answers.names)) if at not in said and (answers.targets == at).any()]
    if never:
        names = ", ".join(never[:8]) + (f" and {len(never) - 8} more" if len(never) > 8 else "")
        told.append(f"Never predicted, though present in the test part: {names}.")
    if len(scores) > 1:
        best, worst = max(scores, key=lambda one: one.recall), min(scores, key=lambda one: one.recall)
        p = equal_shares([round(one.recall * one.count) for one in scores], [one.count for one in scores])
        if p < SURE:
            told.append(
                f"{answers.things[1].capitalize()} of “{excerpt(worst.name, 40)}” are missed most often: "
                f"{_percent(worst.recall)} of {worst.count:,} are right, of “{excerpt(best.name, 40)}” "
                f"{_percent(best.recall)} of {best.count:,} ({p_word(p)})."
            )
    return told


def calibration_words(answers: Answers) -> str:
    """How far the model's certainty can be believed."""
    error, count = answers.calibration_error, len(answers.rows)
    sure = float(answers.probabilities.max(1).mean())
    right = float((answers.targets == answers.predictions).mean())
    said = (
        f"Calibration: the model is {_percent(sure)} sure on average and right in {_percent(right)} of {count:,} "
        f"{answers.things[count != 1]}; the expected calibration error is {format_score('calibration_error', error)}"
    )
    if count < 100:
        return f"{said}, which so few {answers.things[1]} hardly tell."
    if not answers.ill_calibrated:
        chance = f" (chance alone gives about {format_score('calibration_error', answers.calibration_chance)})"
        chance = chance if error >= BAD_CALIBRATION else ""
        way = (
            ""
            if abs(sure - right) < error / 2
            else f", though it is {'more' if sure > right else 'less'} sure than right"
        )
        return f"{said}{chance}: its certainty can be taken roughly at its word{way}."
    if abs(sure - right) < error / 2:
        return f"{said}: it is too sure of some answers and not sure enough of others."
    return f"{said}: it is {'too sure of itself' if sure > right else 'less sure than it may be'}."


# ---- Length


def length_words(answers: Answers, bins: Sequence[LengthBin], run: Run) -> list[str]:
    """Whether length makes a difference; nothing where there are too few texts to ask."""
    if not bins:
        return []
    best, worst = max(bins, key=lambda one: one.accuracy), min(bins, key=lambda one: one.accuracy)
    kept = [
        f"the {name} {run.recipe['text'][name]}" for name in ("first", "last") if run.recipe.get("text", {}).get(name)
    ]
    cut = f" The model reads only {' and '.join(kept)} tokens of a text." if kept else ""
    p = equal_shares([one.right for one in bins], [one.count for one in bins])
    if p >= SURE:
        return [f"Length: no clear effect ({p_word(p)} over the {len(bins)} bins, chi-squared)."]
    return [
        f"Length: {_percent(best.accuracy)} of the {answers.things[1]} of {best.words} {answers.unit} are right and "
        f"{_percent(worst.accuracy)} of those of {worst.words}; the {len(bins)} bins differ by more than chance "
        f"({p_word(p)}, chi-squared).{cut}"
    ]


def _length_table(answers: Answers, bins: Sequence[LengthBin]) -> list[Table]:
    if not bins:
        return []
    rows: list[list[Value]] = [
        [one.words, one.count, f"{100 * one.accuracy:.1f}", f"{100 * one.low:.1f} to {100 * one.high:.1f}"]
        for one in bins
    ]
    return [
        Table(
            "Accuracy by length.",
            [answers.unit.capitalize(), answers.things[1].capitalize(), "Accuracy (%)", "95 % interval"],
            rows,
            minor=True,  # it is drawn as well
        )
    ]


# ---- Tables


def _per_class(answers: Answers) -> Table:
    scores, note = metrics.per_class(answers.targets, answers.predictions, answers.names), ""
    if len(scores) > MOST_CLASSES:
        scores = sorted((one for one in scores if one.count), key=lambda one: one.f1)[:MOST_CLASSES]
        note = f"The {len(scores)} labels with the lowest F1 of {len(answers.names)}."
    rows: list[list[Value]] = [
        [excerpt(one.name, 40), one.count, *(f"{100 * value:.1f}" for value in (one.precision, one.recall, one.f1))]
        for one in scores
    ]
    heads = ["Label", answers.things[1].capitalize(), "Precision (%)", "Recall (%)", "F1 (%)"]
    return Table("Scores by label.", heads, rows, note)


def _confusions(answers: Answers) -> list[Table]:
    if len(answers.confusions) <= 2:  # the confusions drawn say as much
        return []
    most = 4 if len(answers.names) <= FEW_CLASSES else 8
    asked = np.bincount(answers.targets, minlength=len(answers.names))
    rows: list[list[Value]] = [
        [excerpt(answers.names[t], 40), excerpt(answers.names[p], 40), count, f"{100 * count / asked[t]:.1f}"]
        for t, p, count in answers.confusions[:most]
    ]
    left = len(answers.confusions) - len(rows)
    note = f"{left} rarer kinds are left out." if left > 0 else ""
    heads = ["Truth", "Taken for", "Times", "Share of the label (%)"]
    return [Table("Most frequent mistakes.", heads, rows, note, minor=True)]


def _texts(answers: Answers) -> list[Table]:
    """The worst mistakes (highest loss), and the most confident one where it is not among them."""
    wrong, sure = answers.wrong, answers.probabilities.max(1)
    if not len(wrong):
        return []
    worst = [int(at) for at in wrong[np.argsort(-answers.losses[wrong], kind="stable")][:4]]
    confident = [int(at) for at in wrong[np.argsort(-sure[wrong], kind="stable")][:4] if at not in worst][:1]
    note = "Highest loss first" + ("; then the most confident mistake not yet among them." if confident else ".")
    columns = [answers.things[0].capitalize(), "Truth", "Answer", "p(answer)", "p(truth)"]
    return [Table("The worst mistakes.", columns, [_row(answers, at) for at in worst + confident], note)]


def unsure_words(answers: Answers) -> list[str]:
    """The two answers the model was least certain of, where there are enough to choose from."""
    if len(answers.rows) <= 10:
        return []
    least = np.argsort(answers.probabilities.max(1), kind="stable")[:2].tolist()
    said = answers.predictions.tolist()
    told = [f"{_quoted(answers, at, 90)} (answered {_name(answers, said[at])}, "
            f"{'rightly' if said[at] == answers.targets[at] else 'wrongly'})" for at in least]  # fmt: skip
    return [f"What the model was least certain of: {told[0]} and {told[1]}."]


def _quoted(answers: Answers, at: int, limit: int) -> str:
    text = excerpt(answers.text(at), limit)
    return f"“{text}”" if text else "an empty text"


def _row(answers: Answers, at: int) -> list[Value]:
    chances = answers.probabilities[at]
    text = excerpt(answers.text(at), 120 if answers.things[0] == "text" else 200) or "(an empty text)"
    true, said = int(answers.targets[at]), int(answers.predictions[at])
    labels = (excerpt(answers.names[true], 30), excerpt(answers.names[said], 30))
    return [text, *labels, _chance(chances[said]), _chance(chances[true])]


def _chance(share: float) -> str:
    return f"{share:.3f}" if 0.0005 <= share <= 0.9995 else "> 0.999" if share > 0.5 else number(share)


# ---- Figures


def _figures(answers: Answers, bins: Sequence[LengthBin]) -> list[Figure]:
    """Few labels: all in one row. More: the confusions on their own. Too many: no confusions drawn."""
    classes = len(answers.names)
    few = 2 <= classes <= FEW_CLASSES
    confusion = [lambda figure, axes: _draw_confusion(figure, axes, answers)] if classes >= 2 else []
    beside = [lambda figure, axes: _draw_calibration(axes, answers)]
    if bins:
        beside.append(lambda figure, axes: _draw_length(axes, answers, bins))
    several = answers.things[1]
    counted = f"counts of test {several}, coloured by their share of the true label"
    certain = (
        "how often answers of like certainty are right (below the diagonal the model is too sure of itself; grey bars: "
        f"share of {several})"
    )
    length = "accuracy by length with 95 % intervals" if bins else ""
    told = list(filter(None, (counted if few else "", certain, length)))
    found = [
        _row_of(
            confusion + beside if few else beside,
            "errors",
            "Errors and certainty.",
            f"From left to right: {'; '.join(told)}." if len(told) > 1 else f"{certain.capitalize()}.",
        )
    ]
    if confusion and not few and classes <= MOST_CLASSES:
        size = min(3.0 + 0.18 * classes, 6.2)
        note = f"{counted.capitalize()}."
        found.insert(0, _row_of(confusion, "confusion", "Confusions on the test part.", note, size + 0.6, size))
    return found


def _row_of(
    panels: Sequence[Callable[[Any, Any], None]],
    name: str,
    title: str,
    note: str,
    width: float = 0.0,
    height: float = 2.4,
) -> Figure:
    def draw(figure: Any) -> None:
        for panel, axes in zip(panels, figure.subplots(1, len(panels), squeeze=False)[0], strict=True):
            panel(figure, axes)

    return Figure(name, title, draw, note=note, width=width or {1: 3.4, 2: 6.0}.get(len(panels), 7.6), height=height)


def _draw_confusion(figure: Any, axes: Any, answers: Answers) -> None:
    table = metrics.confusion(answers.targets, answers.predictions, len(answers.names))
    classes = len(answers.names)
    labels = [excerpt(name, 10 if classes <= FEW_CLASSES else 16) for name in answers.names]
    shares = table / np.maximum(table.sum(1, keepdims=True), 1)
    image = axes.imshow(shares, vmin=0, vmax=1, cmap="Blues")
    for (true, said), count in np.ndenumerate(table):
        if count or classes <= 8:
            axes.text(
                said,
                true,
                f"{count:,}",
                ha="center",
                va="center",
                fontsize=9 if classes <= 3 else 7 if classes <= 8 else 5,
                color="white" if shares[true, said] > 0.6 else "#1f2933",
            )
    flat = classes == 2
    axes.set_xticks(range(classes), labels, rotation=0 if flat else 45, ha="center" if flat else "right")
    axes.set_yticks(range(classes), labels, rotation=90 if flat else 0, va="center")
    axes.set(title="Confusions", xlabel="Answer", ylabel="Truth")
    if classes > FEW_CLASSES:
        figure.colorbar(image, ax=axes, label="Share of the true label")


def _draw_calibration(axes: Any, answers: Answers) -> None:
    found = [one for one in metrics.calibration(answers.probabilities, answers.targets) if one.count]
    share = [one.count / len(answers.rows) for one in found]
    label = f"share of {answers.things[1]}"
    axes.bar([(one.low + one.high) / 2 for one in found], share, width=1 / 16, color="#d9e2ec", label=label)
    axes.plot([0, 1], [0, 1], color="#7b8794", linestyle="--", linewidth=1)
    axes.plot([one.confidence for one in found], [one.accuracy for one in found], "o-", label="this model")
    axes.set(title="Calibration", xlabel="Certainty of the answer", ylabel="Share of right answers", ylim=(0, 1.03))
    axes.set_xlim(max(0.0, min(one.low for one in found) - 0.05), 1.02)
    axes.legend()


def _draw_length(axes: Any, answers: Answers, bins: Sequence[LengthBin]) -> None:
    at = np.arange(len(bins))
    shares = 100 * np.array([one.accuracy for one in bins])
    spread = [shares - [100 * one.low for one in bins], [100 * one.high for one in bins] - shares]
    axes.errorbar(at, shares, yerr=np.maximum(spread, 0), fmt="o", capsize=3)
    axes.set_xticks(at, [one.words.replace(" to ", "–") for one in bins], rotation=30, ha="right")
    axes.set(title="Accuracy by length", xlabel=answers.unit.capitalize(), ylabel="Accuracy (%)")
