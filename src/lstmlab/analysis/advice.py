"""What to try next: changes worth a run, each as the words to add to its command."""

import numpy as np

from lstmlab.analysis import faults, forecasts, overview, remedies, scarcity, sentences, standing, variety
from lstmlab.analysis.architecture import encoder_kind, setting
from lstmlab.analysis.outputs import Outputs
from lstmlab.analysis.variety import Variety
from lstmlab.analysis.verdict import Verdict
from lstmlab.training.questions import measured
from lstmlab.training.run import Run


def points(run: Run, verdict: Verdict) -> list[str]:
    """Changes worth a run, each as the words to add to the command: against what the history shows (`remedies`), and
    for what the task and its scores suggest."""
    found = remedies.against(run, verdict)
    if standing.only_short(run):
        found += _next_long(run)
    found += _next_forecast(run) + _next_capacity(run, verdict) + _next_texts(run, verdict)
    found.append(f"Another seed, to tell luck from merit: seed={run.recipe['seed'] + 1}.")
    return found


def _next_long(run: Run) -> list[str]:
    """A classifier that loses what stands early in long inputs."""
    model, found = run.recipe["model"], []
    encoder = model["encoder"]
    if encoder["cell"] in ("rnn", "rnn-relu") and encoder_kind(run) == "recurrent":
        found.append("A cell that holds on to what it has read: cell=lstm.")
    if "bidirectional" in encoder and not encoder["bidirectional"]:
        found.append("Read both ways, so that the beginning of a long input is near too: bidirectional=true.")
    if model.get("pooling") == ["last"]:
        found.append("Sum up all steps and not the last state alone: pooling=[max,mean].")
    return found


def _next_texts(run: Run, verdict: Verdict) -> list[str]:
    """Of a translator or a partner in conversation: what its faults and its parts suggest."""
    if not (sentences.translates(run) or sentences.replies(run)):
        return []
    search, found, outputs = run.recipe.get("decoding", {}), [], Outputs.of(run)
    if sentences.replies(run) and Variety.of(run).dull:
        found += variety.advice(run)
    if verdict.kind == "sound" and overview.Comparison.of(run).gain <= 0:
        found.append(f"It is no better than its baseline, so give it more time: {remedies.longer(run)}.")
    if scarcity.scarce(run):
        found.append("More training pairs, where they can be had: with so few, they gain more than settings do.")
    elif verdict.kind == "sound":
        units = 2 * (setting(run, "model.encoder.hidden_size") or 0)
        found.append(f"A larger model, as validation loss did not rise, and more epochs: encoder.hidden_size={units}.")
    if setting(run, "model.context") != "attention":
        found.append("Let the decoder look back at the source at every step: context=attention.")
    if not setting(run, "model.encoder.bidirectional"):
        found.append("Let the encoder read the source both ways: bidirectional=true.")
    if search.get("method") == "greedy" and sentences.translates(run):
        found.append("Several hypotheses side by side, so that a word can be taken back: decoding.method=beam.")
    often = {
        kind.name
        for kind in faults.find(run, outputs)
        if len(kind.rows) >= max(sentences.FEW_FAULTS * len(outputs.rows), 1)
    }
    if faults.LOOP in often and not search.get("no_repeat_ngram"):
        found.append("Forbid that three words in a row occur twice in an output: no_repeat_ngram=3.")
    if faults.EARLY in often and search.get("method") == "beam":
        found.append(f"Favour longer outputs: length_penalty={search.get('length_penalty', 1) + 0.5:g}.")
    if faults.UNKNOWN_MARK in often and setting(run, "text.level") == "word":
        size = max(setting(run, "text.vocabulary_size") or 0, 2000)
        found.append(f"Subwords, which leave no word unknown: text.level=subword vocabulary_size={size}.")
    return found


def _next_capacity(run: Run, verdict: Verdict) -> list[str]:
    """A classifier whose training went well and that still loses to its baseline."""
    if run.recipe["task"] not in ("classification", "pairs") or verdict.kind not in ("sound", "still improving"):
        return []
    if not overview.has_scores(run) or overview.Comparison.of(run).gain > 0:
        return []
    units, vectors = run.recipe["model"]["encoder"]["hidden_size"], run.recipe["model"]["embedding"]["size"]
    dropped = run.recipe["model"]["embedding"].get("word_dropout") or 0
    smaller = (
        "The training was in order, so look at what the model is and not at how long it learned: a smaller one, "
        f"hidden_size={max(units // 2, 1)}."
    )
    if measured(run):
        return [smaller]
    return [
        smaller,
        f"Vectors of another size: embedding.size={max(vectors // 2, 1)}.",
        f"More words left out while training (now {dropped:g}): word_dropout={min(dropped + 0.2, 0.6):g}.",
    ]


def _next_forecast(run: Run) -> list[str]:
    if not forecasts.applies(run):
        return []
    told = forecasts.Forecasts.of(run)
    if told.first_beyond(forecasts.NEAR * told.amplitude) is None:
        return []
    training, found = run.recipe["training"], []
    if not run.recipe["model"].get("change"):
        found.append(
            "Forecast the change and not the value, so that a step's error is a share of a small number: change=true."
        )
    if training["batch_size"] >= run.summary["data"].get("parts", {}).get("train", np.inf):
        found.append("Many small steps in place of one large step an epoch: batch_size=64.")
    if training["optimizer"]["schedule"] == "constant":
        found.append("A learning rate that decays to zero: optimizer.schedule=cosine.")
    return found
