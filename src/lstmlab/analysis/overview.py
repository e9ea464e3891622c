"""What a run was: its data and every step done to them, its model, its scores beside what they have to beat."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lstmlab import metrics
from lstmlab.metrics import SCORES, format_score
from lstmlab.report import Section, Table, excerpt, number
from lstmlab.report.text import Value
from lstmlab.tasks import TASKS
from lstmlab.training.run import Run

PARTS = {"train": "training", "valid": "validation", "test": "test"}
CELLS = {"lstm": "LSTM", "gru": "GRU", "rnn": "plain RNN"}


# ---- Data


def data(run: Run) -> Section:
    """Source, licence, parts, every step done, and one example on its way to a tensor."""
    told = run.summary["data"]
    parts = told.get("parts", {})
    counts = [f"{count:,} {PARTS.get(part, part)}" for part, count in parts.items()]
    claim = f"{excerpt(told['name'], 60)}: {listed(counts)} examples." if counts else f"{excerpt(told['name'], 60)}."
    lines = [f"{_aim(run)} {_sentence(excerpt(told.get('description', ''), 600))}".strip(), _source(told)]
    if told.get("steps"):
        lines.append(
            "What was done to the data, in order:\n" + "\n".join(f"- {excerpt(step, 400)}" for step in told["steps"])
        )
    if run.summary.get("journey"):
        lines.append("One training example on its way into the model:")
        width = max(len(stage) for stage, _ in run.summary["journey"]) + 2
        # A line begins with its stage, so that no foreign text can close the block.
        journey = [f"{excerpt(stage, 20):<{width}}{excerpt(text, 170)}" for stage, text in run.summary["journey"]]
        lines.append("\n".join(["```", *journey, "```"]))
    return Section("Problem and data", claim, "\n\n".join(filter(None, lines)))


def _aim(run: Run) -> str:
    """What is to be learned."""
    if run.recipe["task"] == "forecasting":
        asked = run.recipe["data"]
        return f"To be learned: the next value of a series from the {asked['window']} before it."
    names = list(run.predictions[0].get("probabilities", {})) if run.predictions else []
    if not names:
        return "To be learned: the label of a text."
    shown = [f"“{excerpt(name, 30)}”" for name in names[:12]] + [f"{len(names) - 12} more"] * (len(names) > 12)
    return f"To be learned: which of {len(names)} labels a text has, {listed(shown)}."


def _source(told: Mapping[str, Any]) -> str:
    found = [
        f"Source: {excerpt(told['address'], 200)}." if told.get("address") else "",
        f"Licence: {excerpt(told['licence'], 200).rstrip('.')}." if told.get("licence") else "",
    ]
    sums = [
        f"{excerpt(file, 60)} {excerpt(value, 13).rstrip('…')}" for file, value in told.get("checksums", {}).items()
    ]
    if sums:
        found.append(
            f"SHA-256 (beginning): {', '.join(sums[:4])}{f' and {len(sums) - 4} more' if len(sums) > 4 else ''}."
        )
    return " ".join(filter(None, found))


def _sentence(text: str) -> str:
    return text if not text or text.endswith((".", "!", "?")) else text + "."


def listed(words: list[str]) -> str:
    """One, two and three."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


# ---- Model


def model(run: Run) -> Section:
    """The architecture in words, its layers, the settings that matter."""
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
            )
        ]
        if rows
        else []
    )
    claim = (
        f"{_first_upper(encoder_words(run))}: {count:,} parameters." if rows else f"{_first_upper(encoder_words(run))}."
    )
    return Section("Model", claim, _architecture(run), [*tables, _settings(run)])


def encoder_words(run: Run) -> str:
    """The encoder in a few words: cell, layers, units, directions."""
    told = run.recipe["model"]["encoder"]
    cell = CELLS.get(told["cell"], excerpt(str(told["cell"]), 40))
    depth = told.get("num_layers", 1)
    both = told.get("bidirectional")
    layers = "one layer" if depth == 1 else f"{depth} layers"
    return f"{'bidirectional' if both else 'unidirectional'} {cell}, {layers} of {told['hidden_size']} units" + (
        " in each direction" if both else ""
    )


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _architecture(run: Run) -> str:
    """Every part in the order the data pass it."""
    told, recipe = run.recipe["model"], run.recipe
    parts = []
    if recipe["task"] == "forecasting":
        aim = "the change from the last value" if told.get("change") else "the next value"
        parts.append(
            f"A window of {recipe['data']['window']} numbers, one at a time, goes into the encoder "
            f"({encoder_words(run)}); "
            f"its last output goes through one linear unit, which gives {aim}. Further steps are forecast by "
            "moving the window on over the model's own forecasts. Loss: mean squared error in scaled units."
        )
    else:
        text = recipe.get("text", {})
        read = [f"the {name} {text[name]}" for name in ("first", "last") if text.get(name)]
        cut = f", of which {listed(read)} are read" if read else ""
        size = told.get("embedding", {}).get("size")
        pooling = listed(list(told.get("pooling", [])))
        pieces = told.get("segment_length")
        parts.append(
            f"Text becomes {text.get('level', 'word')} tokens{cut}; each becomes a vector of {size} numbers learned "
            f"with the rest (embedding){_ratio_words(run)}. Encoder: {encoder_words(run)}"
            + (f", run over pieces of {pieces} tokens side by side" if pieces else "")
            + f". Its outputs are pooled ({pooling}), and a linear layer gives "
            + (
                "the logit of the second label (one sigmoid unit)."
                if told.get("single_unit")
                else "one logit a label (softmax)."
            )
            + " Loss: cross-entropy."
        )
    return " ".join(parts)


def _ratio_words(run: Run) -> str:
    """What stands beside the embedding, where something does."""
    longest = run.recipe["model"].get("embedding", {}).get("ratios", 0)
    if not longest:
        return ""
    return (
        f", with naive Bayes log-count ratios beside it: how strongly the n-grams of up to {longest} tokens that end "
        "there speak for each label in the training part (Wang & Manning 2012), counted once and not trained; a "
        "training text's own tenth of the texts is left out of its counts"
    )


_SETTINGS = (  # what a reader asks for first: a name, where it stands
    ("cell", "model.encoder.cell"),
    ("layers", "model.encoder.num_layers"),
    ("hidden units", "model.encoder.hidden_size"),
    ("initialisation", "model.encoder.initialisation"),
    ("forget bias at the start", "model.encoder.forget_bias"),
    ("dropout between layers", "model.encoder.dropout"),
    ("layer normalisation", "model.encoder.layer_norm"),
    ("recurrent dropout", "model.encoder.recurrent_dropout"),
    ("zoneout of the output", "model.encoder.zoneout"),
    ("zoneout of the memory", "model.encoder.zoneout_memory"),
    ("weight drop", "model.encoder.weight_drop"),
    ("dropout before the output", "model.dropout"),
    ("word dropout", "model.embedding.word_dropout"),
    ("locked dropout", "model.embedding.locked_dropout"),
    ("log-count ratios up to", "model.embedding.ratios"),
    ("noise on the inputs", "model.input_noise"),
    ("vocabulary at most", "text.vocabulary_size"),
    ("scaling", "data.scale"),
    ("epochs", "training.epochs"),
    ("steps", "training.steps"),
    ("minutes", "training.minutes"),
    ("batch size", "training.batch_size"),
    ("batches per step", "training.accumulate"),
    ("patience", "training.patience"),
    ("optimiser", "training.optimizer.method"),
    ("learning rate", "training.optimizer.learning_rate"),
    ("schedule", "training.optimizer.schedule"),
    ("warm-up", "training.optimizer.warmup"),
    ("weight decay", "training.optimizer.weight_decay"),
    ("gradient clipped at", "training.optimizer.clip"),
    ("averaging of weights", "training.optimizer.average"),
    ("seed", "seed"),
)


def setting(run: Run, path: str) -> Any:
    """A setting by its dotted path; None where the recipe has none."""
    place: Any = run.recipe
    for key in path.split("."):
        place = place.get(key) if isinstance(place, Mapping) else None
    return place


def _settings(run: Run) -> Table:
    found = [(name, setting(run, path)) for name, path in _SETTINGS]
    off = {"batches per step": 1, "seed": None, "layer normalisation": "none"}
    kept = [
        (name, excerpt(str(value), 40) if isinstance(value, str) else f"{value:g}")
        for name, value in found
        if value is not None and (value != off.get(name, 0) or name == "seed")
    ]
    return pairs("Settings.", kept, "What is switched off is left out; recipe.yaml has every setting.")


def pairs(title: str, found: Sequence[tuple[str, str]], note: str = "") -> Table:
    """Names and values as a table of three pairs a row, read downwards: a third of the height."""
    height = -(-len(found) // 3)
    columns = [found[at : at + height] for at in range(0, len(found), height)]
    rows = [
        [word for column in columns for word in (column[at] if at < len(column) else ("", ""))] for at in range(height)
    ]
    return Table(title, ["", "Value"] * len(columns), rows, note)


# ---- Scores


@dataclass(frozen=True)
class Comparison:
    """The main score on the test part beside the best baseline's."""

    score: str
    value: float
    count: int
    """Test examples."""
    rival: str | None
    rival_value: float
    """NaN without a baseline."""
    thing: str = "example"
    """What a test example is called."""

    @classmethod
    def of(cls, run: Run) -> "Comparison":
        """The run's main score and the best of its baselines."""
        score = TASKS[run.recipe["task"]].main_score
        value = run.metrics["test"].get(score)
        known = {
            name: told[score] for name, told in run.metrics.get("baseline", {}).items() if told.get(score) is not None
        }
        up = SCORES[score].higher_is_better
        rival = (max if up else min)(known, key=lambda name: known[name]) if known else None
        return cls(
            score,
            np.nan if value is None else float(value),
            len(run.predictions),
            rival,
            float(known[rival]) if rival else np.nan,
            "window" if run.recipe["task"] == "forecasting" else "example",
        )

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of an accuracy; None for other scores."""
        if self.score != "accuracy" or not self.count or np.isnan(self.value):
            return None
        return metrics.interval(self.value, self.count)

    @property
    def gain(self) -> float:
        """By how much the model is better than its best baseline; negative where it is worse."""
        return (self.value - self.rival_value) * (1 if SCORES[self.score].higher_is_better else -1)

    @property
    def noise(self) -> bool:
        """Whether the baseline's accuracy lies in the interval of the model's."""
        return self.interval is not None and self.interval[0] <= self.rival_value <= self.interval[1]

    @property
    def beaten(self) -> bool:
        """Whether the model beats every baseline by more than noise."""
        return self.rival is not None and self.gain > 0 and not self.noise

    @property
    def words(self) -> str:
        """The comparison in a sentence."""
        told = f"{SCORES[self.score].title} {format_score(self.score, self.value)} on {self._where}"
        if self.interval is not None:
            told += f" (95 % interval {100 * self.interval[0]:.1f} to {100 * self.interval[1]:.1f} %)"
        if self.rival is None or np.isnan(self.value):
            return f"{told}."
        shown = f"the best baseline ({excerpt(self.rival, 40)}, {format_score(self.score, self.rival_value)})"
        within = f", and the gap is within the noise of {self._where}" if self.noise else ""
        if self.gain > 0:
            return f"{told}: {self._size} better than {shown}{within}."
        if self.gain == 0:
            return f"{told}: no better than {shown}."
        return f"{told}: it does not beat {shown} but is {self._size} worse{within}."

    @property
    def _where(self) -> str:
        return f"{self.count:,} test {self.thing}{'s' * (self.count != 1)}"

    @property
    def _size(self) -> str:
        if self.score == "accuracy":
            return f"{100 * abs(self.gain):.1f} points"
        large, small = max(self.value, self.rival_value), min(self.value, self.rival_value)
        times = large / small if small > 0 else np.inf
        return (
            f"{times:.{int(times < 100)}f} times"
            if 1.5 <= times < 1e6
            else f"{format_score(self.score, abs(self.gain))}"
        )


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
    last, best = told.get("test_last", {}).get(found.score), told["test"].get(found.score)
    if last is not None and best is not None and abs(last - best) > 1e-9:
        lines.append(
            f"The weights of the last epoch would have scored {format_score(found.score, last)} instead of the "
            f"{format_score(found.score, best)} of the kept ones (epoch {told['best_epoch']})."
        )
    if found.interval is not None:
        lines.append(
            "The interval is Wilson's: it covers the luck of which test examples were drawn, not that of the seed, "
            "which "
            "only further runs with other seeds can show."
        )
    return Section("Scores", found.words, " ".join(lines), [_table(run, found)])


def _table(run: Run, found: Comparison) -> Table:
    told = run.metrics
    rows = {
        f"this model (epoch {told['best_epoch']})": told["test"],
        "this model, last epoch": told.get("test_last", {}) if told.get("test_last") != told["test"] else {},
        **told.get("baseline", {}),
    }
    # Validation is no rival: other examples, and the epoch was chosen by them.
    beside = {"this model on validation": told["valid"]} if told.get("valid") else {}
    # A loss is the model's own: no baseline has one, and a forecaster's is in scaled units.
    names = [name for name in SCORES if name != "loss" and told["test"].get(name) is not None] + ["loss"]
    main = {name: scores[found.score] for name, scores in rows.items() if scores.get(found.score) is not None}
    up = SCORES[found.score].higher_is_better
    top = (max if up else min)(main.values(), default=None)
    shown = [
        [
            excerpt(name, 60) + (" (best)" if name in main and main[name] == top else ""),
            *(_cell(one, scores.get(one)) for one in names),
        ]
        for name, scores in (rows | beside).items()
        if scores
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
    return f"{100 * value:.2f}" if SCORES[name].unit == "%" else number(value)
