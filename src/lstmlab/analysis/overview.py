"""What a run was: its data and every step done to them, its model, its scores beside what they have to beat."""

from collections.abc import Mapping
from typing import Any

from lstmlab.analysis import dataflow, recurrence
from lstmlab.analysis.architecture import (
    PAIRS,
    architecture,
    encoder_words,
    first_upper,
    listed,
    model_words,
    setting,
)
from lstmlab.analysis.comparison import Comparison, baselines
from lstmlab.analysis.hyperparameters import settings_table
from lstmlab.baselines import SETTINGS
from lstmlab.errors import InputError
from lstmlab.metrics import SCORES, format_score
from lstmlab.report import Section, Table, excerpt, number
from lstmlab.report.text import Value
from lstmlab.training.questions import measured
from lstmlab.training.run import Run

__all__ = ["Comparison", "data", "encoder_words", "has_scores", "listed", "model", "model_words", "scores", "setting"]

PARTS = {"train": "training", "valid": "validation", "test": "test"}


# ---- Data


def data(run: Run, *, aimed: bool = True) -> Section:
    """What is to be learned (with `aimed`), source, licence, parts, every step done, and one example on its way to a
    tensor."""
    told = run.summary["data"]
    parts = told.get("parts", {})
    counts = [f"{count:,} {PARTS.get(part, part)}" for part, count in parts.items()]
    things = "lines" if run.recipe["task"] == "language-model" else "examples"
    claim = f"{excerpt(told['name'], 60)}: {listed(counts)} {things}." if counts else f"{excerpt(told['name'], 60)}."
    described = _sentence(excerpt(told.get("description", ""), 600))
    lines = [f"{aim(run)} {described}".strip() if aimed else described, _source(told)]
    if told.get("steps"):
        steps = [excerpt(step, 400) for step in told["steps"]]
        head = "What was done to the data, in order:"
        # A long list says no more than the same sentences one after the other, and takes half a page.
        told_steps = " ".join([head, *steps]) if len(steps) > 8 else "\n- ".join([head, *steps])
        lines.append(told_steps)
    if run.summary.get("journey"):
        lines.append("One training example on its way into the model:")
        width = max(len(stage) for stage, _ in run.summary["journey"]) + 2
        # A line begins with its stage, so that no foreign text can close the block.
        journey = [f"{excerpt(stage, 20):<{width}}{excerpt(text, 170)}" for stage, text in run.summary["journey"]]
        lines.append("\n".join(["```", *journey, "```"]))
    return Section("Problem and data", claim, "\n\n".join(filter(None, lines)))


def aim(run: Run) -> str:
    """What is to be learned."""
    asked = run.recipe["data"]
    if run.recipe["task"] == "forecasting":
        horizon, window = asked.get("horizon") or 1, asked["window"]
        if asked.get("name") == "sine" or horizon == 1:
            return f"To be learned: the next value of a series from the {window} before it."
        return f"To be learned: the next {horizon} values of a series from the {window} steps before them."
    if run.recipe["task"] == "translation":
        return f"To be learned: the translation of a sentence{_languages(asked)}."
    if run.recipe["task"] == "dialogue":
        turns = asked.get("turns") or 1
        before = f"up to {turns} turns" if turns > 1 else "the turn"
        return f"To be learned: a reply to {before} of a conversation before it."
    if run.recipe["task"] == "pairs" and asked.get("graded"):
        return "To be learned: a score of how related two texts are."
    if run.recipe["task"] == "language-model":
        kinds = {"character": "character", "word": "word"}
        return f"To be learned: the next {kinds.get(run.recipe['text']['level'], 'piece of a word')} of a text."
    if run.recipe["task"] == "tagging":
        return "To be learned: a tag for each word of a sentence."
    single = "a sequence of measurements" if measured(run) else "a text"
    thing = "a pair of texts" if run.recipe["task"] == "pairs" else single
    names = list(run.predictions[0].get("probabilities", {})) if run.predictions else []
    if not names:
        return f"To be learned: the label of {thing}."
    shown = [f"“{excerpt(name, 30)}”" for name in names[:12]] + [f"{len(names) - 12} more"] * (len(names) > 12)
    return f"To be learned: which of {len(names)} labels {thing} has, {listed(shown)}."


def _languages(asked: Mapping[str, Any]) -> str:
    """From which language into which, where the recipe names them as ISO 639 does."""
    codes = [str(asked.get(side) or "") for side in ("source", "target")]
    return f" from {codes[0]} to {codes[1]}" if all(code.isalpha() and len(code) <= 3 for code in codes) else ""


def _source(told: Mapping[str, Any]) -> str:
    found = [
        f"Source: {excerpt(told['address'], 200)}." if told.get("address") else "",
        f"Licence: {excerpt(told['licence'], 200).rstrip('.')}." if told.get("licence") else "",
    ]
    sums = [
        f"{excerpt(file, 60)} {excerpt(value, 13).rstrip('…')}" for file, value in told.get("checksums", {}).items()
    ]
    if sums:
        more = f" and {len(sums) - 4} more" if len(sums) > 4 else ""
        found.append(f"SHA-256 of what was read (beginning): {', '.join(sums[:4])}{more}.")
    return " ".join(filter(None, found))


def _sentence(text: str) -> str:
    return text if not text or text.endswith((".", "!", "?")) else text + "."


# ---- Model


def model(run: Run) -> Section:
    """The architecture in words and drawn, its layers, its cell."""
    layers = run.summary.get("layers", [])
    count = sum(int(row[2]) for row in layers)
    rows: list[list[Value]] = [
        [excerpt(str(name), 90), excerpt(str(shape), 40), int(parameters)] for name, shape, parameters in layers
    ]
    tables = (
        [
            Table(
                "Layers.",
                ["Layer", "Shape", "Parameters"],
                [*rows, ["in all", "", count]],
                minor=True,  # the drawing has these numbers too
            )
        ]
        if rows and run.recipe["task"] not in PAIRS  # where the parts are few and told in a line
        else []
    )
    words = first_upper(model_words(run))
    claim = f"{words}{';' if run.recipe['task'] in PAIRS else ':'} {count:,} parameters." if rows else f"{words}."
    evidence, figures = architecture(run), [dataflow.figure(run)]
    try:
        figures += filter(None, [recurrence.figure(run)])
    except InputError as error:
        evidence += f"\n\nThe cell is not drawn here: {excerpt(str(error), 300)}."
    return Section("Model", claim, evidence, tables, figures)


def settings(run: Run) -> Section:
    """The settings of model and training that matter."""
    training = run.recipe["training"]
    optimizer = training["optimizer"]
    sizes = f"{training['tokens']:,} tokens" if training.get("tokens") else f"{training.get('batch_size')}"
    lasts = [f"{training[unit]:,} {unit}" for unit in ("epochs", "steps", "minutes") if training.get(unit)]
    claim = f"{optimizer['method']}, learning rate {optimizer['learning_rate']:g}, batches of {sizes}"
    claim = first_upper(", ".join([claim, *(["at most " + " or ".join(lasts)] if lasts else [])]))
    return Section("Hyper-parameters", f"{claim}.", "", [settings_table(run)], generated=False)


# ---- Scores

VARIETY = ("distinct_1", "distinct_2", "repeated_replies", "generic_replies")
"""Scores of a conversation's variety, which the section on its replies shows beside the references' own."""


def has_scores(run: Run) -> bool:
    """Whether the run was scored on a test part."""
    return run.finished and bool(run.metrics.get("test")) and bool(run.predictions)


def scores(run: Run) -> Section:
    """Test and validation scores beside the baselines."""
    found = Comparison.of(run)
    told = run.metrics
    lines = ["The baselines were fitted on the same training part and scored on the same test part."]
    if found.rival is None:
        lines = ["This run has no baseline to be measured against."]
    elif not found.beaten:
        lines.append(
            "As it stands, this model gives no reason to prefer it to that baseline."
            if found.gain <= 0
            else "So this run alone does not show that the model is the better one."
        )
    lines += [f"{one}." for name, one in SETTINGS.items() if any(key.startswith(name) for key in baselines(run))]
    lines += filter(None, [found.paired_words])
    last, best = told.get("test_last", {}).get(found.score), told["test"].get(found.score)
    if last is not None and best is not None and abs(last - best) > 1e-9:
        lines.append(
            f"The weights of the last epoch would have scored {format_score(found.score, last)} instead of the "
            f"{format_score(found.score, best)} of the kept ones (epoch {told['best_epoch']})."
        )
    if found.interval is not None:
        named = {"accuracy": "Wilson's", "pearson": "Fisher's"}
        how = named.get(found.score, "from 1,000 bootstrap resamples of the test part")
        lines.append(
            f"The interval is {how}: it covers the luck of which test {found.thing[1]} were drawn, not that of the "
            "seed, which only further runs with other seeds can show."
        )
    if told["test"].get("calibration_error") is not None:
        lines.append(
            "Calibration error: the mean distance between certainty and share of right answers, over 15 bins of "
            "certainty (Guo et al. 2017)."
        )
    if found.score == "perplexity":
        lines.append(
            "Perplexity is the exponential of the loss a token: among how many equally likely tokens the model chooses."
        )
    if run.recipe["task"] == "dialogue":
        lines.append(
            "It needs probabilities, which no simple method gives here, so the blind guess is a low hurdle. A reply "
            "can be good and share no word with its reference: BLEU and chrF say little of a conversation."
        )
    if run.recipe["task"] == "language-model":
        lines.append(
            "The test text is read as one, its state carried on (a long one at several places side by side, each after "
            "a run-up). The n-grams know the last few tokens only, but remember each of them exactly."
        )
    return Section("Scores", found.words, " ".join(lines), [_table(run, found)])


def _table(run: Run, found: Comparison) -> Table:
    told = run.metrics
    rows = {
        f"this model (epoch {told['best_epoch']})": told["test"],
        "this model, last epoch": told.get("test_last", {}) if told.get("test_last") != told["test"] else {},
        **baselines(run),
    }
    # Validation is no rival: other examples, and the epoch was chosen by them.
    beside = {"this model on validation": told["valid"]} if told.get("valid") else {}
    # A loss is the model's own: no baseline has one, and a forecaster's is in scaled units.
    left = {"loss", *(VARIETY if run.recipe["task"] == "dialogue" else ())}
    names = [name for name in SCORES if name not in left and told["test"].get(name) is not None] + ["loss"]
    main = {name: scores[found.score] for name, scores in rows.items() if scores.get(found.score) is not None}
    up = SCORES[found.score].higher_is_better
    top = (max if up else min)(main.values(), default=None)
    shown = [
        [
            excerpt(name, 60) + (" (best)" if name in main and main[name] == top else ""),
            *(_cell(one, scores.get(one)) for one in names),
        ]
        for name, scores in (rows | beside).items()
        if any(scores.get(one) is not None for one in names)
    ]
    heads = [_heading(name, run) for name in names]
    return Table(
        "Scores on the test part.",
        ["", *heads],
        shown,
        f"(best): best by {SCORES[found.score].title} on the test part. Arrows point to the better side.",
    )


def _heading(name: str, run: Run) -> str:
    if name == "loss" and run.recipe["task"] == "forecasting":
        return "Loss (scaled²) ↓"
    return SCORES[name].heading.replace(" (unit of the series)", "")


def _cell(name: str, value: float | None) -> Value:
    if value is None:
        return None
    if SCORES[name].unit == "%":
        return f"{100 * value:.2f}"
    return number(value) if SCORES[name].decimals == 4 else format_score(name, value)
