"""What a run did as a lab record tells it: objectives, pseudocode, the lines that the program printed."""

from collections.abc import Iterator

from lstmlab.analysis.architecture import CELLS, PAIRS, encoder_words, listed, search_words, setting
from lstmlab.analysis.comparison import score_name
from lstmlab.report import Section, excerpt
from lstmlab.training.loop import LoopSettings, epoch_line
from lstmlab.training.questions import measured
from lstmlab.training.run import Run, main_score

PRINTED = 10
"""Epochs whose lines are shown, at most."""


def objectives(run: Run) -> Section:
    """What had to be done, a line each."""
    told = run.summary["data"]
    title = _score(run)
    rival = listed([excerpt(name, 40) for name in run.metrics.get("baseline", {})]) if run.finished else ""
    points = [
        f"To read {excerpt(told['name'], 60)}, prepare it, and part it without overlap.",
        f"To build the model in PyTorch: {encoder_words(run)}.",
        "To train it with the loss shown every epoch"
        + (", and to keep the best weights by validation." if _judged(run) else "."),
        f"To measure {title} on the test part" + (f", beside {rival}." if rival else "."),
        "To look at what it does well and badly, and to say why.",
    ]
    return Section("Objectives", "", "\n".join(f"- {point}" for point in points), generated=False)


def _judged(run: Run) -> bool:
    """Whether there was a validation part."""
    return any("valid" in row for row in run.history)


def _score(run: Run) -> str:
    return score_name(main_score(run)) if run.finished else "its main score"


def pseudocode(run: Run) -> Section:
    """The algorithm of this run, its numbers in it."""
    lines = [*_before(run), *_loop(run), *_after(run)]
    width = len(str(len(lines)))
    numbered = [f"{at:>{width}}  {line}" for at, line in enumerate(lines, 1)]
    return Section("Pseudocode", "", "\n".join(["```", *numbered, "```"]), generated=False)


def _before(run: Run) -> Iterator[str]:
    recipe, parts = run.recipe, run.summary["data"].get("parts", {})
    names = {"train": "training", "valid": "validation", "test": "test"}
    counts = listed([f"{count:,} {names.get(part, part)}" for part, count in parts.items()])
    yield f"read {excerpt(run.summary['data']['name'], 40)}: {counts or 'its'} examples"
    if recipe["task"] == "forecasting":
        data = recipe["data"]
        yield f"cut the series into windows of {data['window']} steps and the {data.get('horizon') or 1} to forecast"
        yield "scale by mean and deviation of the training part" if data.get("scale") == "standard" else "scale nothing"
    elif measured(run):
        yield "scale by mean and deviation of the training part"
    elif "text" in recipe and setting(run, "model.embedding.size"):
        most = setting(run, "text.vocabulary_size")
        level = {"word": "words", "character": "characters"}.get(recipe["text"].get("level", "word"), "pieces of words")
        limit = f", the most frequent {most:,} at most" if most else ""
        yield f"vocabulary ← {level} of the training part{limit}"
    elif recipe["task"] == "tagging":
        yield "vocabulary ← words, letters and endings of the training part"
    yield f"θ ← random weights, seed {recipe['seed']}"


def _loop(run: Run) -> Iterator[str]:
    training = run.recipe["training"]
    ends = {"epochs": "for epoch = 1 … {}:", "steps": "until {} steps are done:", "minutes": "for {} minutes:"}
    budget = next((text.format(training[key]) for key, text in ends.items() if training.get(key)), "repeat:")
    yield budget
    size = f"{training['tokens']:,} tokens of" if training.get("tokens") else training.get("batch_size")
    yield f"    for each batch of {size} {_thing(run)}:"
    yield from (f"        {line}" for line in _forward(run))
    optimizer = training["optimizer"]
    clip = optimizer.get("clip")
    yield "        g ← gradient of L by θ" + (f", its norm cut at {clip:g}" if clip else "")
    schedule = optimizer.get("schedule", "constant")
    rate = f"rate {optimizer['learning_rate']:g}" + (f", {schedule}" if schedule != "constant" else "")
    yield f"        θ ← {optimizer['method']}(θ, g; {rate})"
    if _judged(run):
        better = "its loss is" if training.get("best", "loss") == "loss" else "its score is"
        yield f"    score the validation part; keep θ* ← θ where {better} the best so far"
        if training.get("patience"):
            yield f"    stop after {training['patience']} epochs without a better one"


def _thing(run: Run) -> str:
    things = {"forecasting": "windows", "tagging": "sentences", "language-model": "places in the text"}
    return things.get(run.recipe["task"], "pairs" if run.recipe["task"] in (*PAIRS, "pairs") else "sequences")


def _forward(run: Run) -> list[str]:
    task, encoder = run.recipe["task"], run.recipe["model"]["encoder"]
    read = _reading(run)
    if task in PAIRS:
        forced = (setting(run, "teacher_forcing") or {}).get("final_ratio", 1.0)
        given = "y_{t-1}" if forced == 1 else "y_{t-1} or the model's own token"
        attends = setting(run, "model.context") == "attention"
        asks = ["    α_t ← softmax over s of score(q_t, h_s);  c_t ← Σ α_ts h_s"] * attends
        return [
            f"h_1 … h_S, end ← {read} over the embedded source",
            "q_0 ← bridge(end)" if setting(run, "model.bridge") != "zero" else "q_0 ← 0",
            "for t = 1 … T:",
            f"    q_t ← decoder({given}, q_{{t-1}})",
            *asks,
            f"    p_t ← softmax(output(q_t{', c_t' if attends else ''}))",
            "L ← mean over t of −log p_t[y_t]",
        ]
    if task == "forecasting":
        return [
            f"h_1 … h_T ← {read} over the window",
            "ŷ ← output(h_T)",
            "L ← mean loss of ŷ against the steps that came",
        ]
    if task == "tagging":
        last = "L ← −log p(tags | scores), by the CRF" if setting(run, "model.output") == "crf" else \
            "L ← mean over words of −log softmax(scores)[tag]"  # fmt: skip
        return [
            "x_t ← [word; letters; shape; endings] of each word",
            f"h_1 … h_T ← {read}",
            "scores_t ← output(h_t)",
            last,
        ]
    if task == "language-model":
        return [
            "x_t ← embedding of each token",
            f"h_1 … h_T, state ← {read}, going on from the state before",
            "p_t ← softmax(output(h_t))",
            "L ← mean over t of −log p_t[next token]",
        ]
    pooling = listed([str(name) for name in setting(run, "model.pooling") or ["last"]])
    if task == "pairs":
        between = ["a, b ← each token compared with its like in the other text, read once more"]
        return [
            f"a, b ← {read} over both embedded texts",
            *(between if setting(run, "model.attention") == "between" else []),
            f"u, v ← {pooling} of a, of b over time",
            "p ← softmax(output(head([u; v; |u − v|; u · v])))",
            "L ← mean of −log p[label]",
        ]
    both = " (forwards and backwards)" if encoder.get("bidirectional") else ""
    return [
        f"x_t ← {'scaled measurements of each step' if measured(run) else 'embedding of each token'}",
        f"h_1 … h_T ← {read}{both}",
        f"p ← {'sigmoid' if setting(run, 'model.single_unit') else 'softmax'}(output({pooling} of h over time))",
        "L ← mean of −log p[label]",
    ]


def _reading(run: Run) -> str:
    encoder = run.recipe["model"]["encoder"]
    kind = encoder.get("kind", "recurrent")
    cell = str(encoder["cell"])
    return CELLS.get(cell, cell.rpartition(":")[2]) if kind == "recurrent" else str(kind)


def _after(run: Run) -> Iterator[str]:
    yield f"θ ← {'θ*' if _judged(run) else 'θ'}; answer every test example" + (
        f" ({search_words(run).split(',')[0]})" if run.recipe["task"] in PAIRS else ""
    )
    yield f"score the answers ({_score(run)}), and the baselines on the same part"


def printed(run: Run) -> Section:
    """The lines of the epochs as they were printed; of many the first, the last and some between."""
    history = run.history
    count = len(history)
    if not count:
        return Section("What the program printed", "", "No epoch was finished.", generated=False)
    chosen = sorted({round(at * (count - 1) / max(min(PRINTED, count) - 1, 1)) for at in range(min(PRINTED, count))})
    budget = LoopSettings.model_construct(epochs=run.recipe["training"].get("epochs"))
    lines = [epoch_line(history[at], budget) for at in chosen]
    note = "" if len(chosen) == count else f"{len(chosen)} of {count} epochs; history.jsonl has all of them."
    return Section("What the program printed", "", "\n".join(["```", *lines, "```", "", note]), generated=False)
