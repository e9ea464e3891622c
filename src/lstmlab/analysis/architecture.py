"""What a run's model is made of, in words: its parts in the order the data pass them, up to the loss."""

from collections.abc import Mapping, Sequence
from typing import Any

from lstmlab.report import excerpt
from lstmlab.training.questions import measured
from lstmlab.training.run import Run

CELLS = {"lstm": "LSTM", "gru": "GRU", "rnn": "plain RNN"}
PAIRS = ("translation", "dialogue")
"""Tasks whose model is an encoder and a decoder."""


def setting(run: Run, path: str) -> Any:
    """A setting by its dotted path; None where the recipe has none."""
    place: Any = run.recipe
    for key in path.split("."):
        place = place.get(key) if isinstance(place, Mapping) else None
    return place


def model_words(run: Run) -> str:
    """The model in a few words."""
    if run.recipe["task"] not in PAIRS:
        return encoder_words(run)
    context = {"attention": f"{setting(run, 'model.attention.kind')} attention", "every-step": "context at every step"}
    passed = context.get(setting(run, "model.context"), "no attention")
    return f"encoder: {encoder_words(run)}; decoder: {decoder_words(run)}; {passed}"


def encoder_kind(run: Run) -> str:
    """recurrent, convolution or transformer. Runs of old know the first alone, and do not say so."""
    return str(run.recipe["model"]["encoder"].get("kind", "recurrent"))


def encoder_words(run: Run) -> str:
    """The encoder in a few words: cell, layers, units, directions; or what else it is."""
    told = run.recipe["model"]["encoder"]
    words = {"convolution": _convolution_words, "transformer": _transformer_words}
    return words.get(encoder_kind(run), _stack_words)(told)


def decoder_words(run: Run) -> str:
    """The decoder likewise; what it does not say it has from the encoder's settings. It reads in one direction."""
    return _stack_words(_decoder(run))


def _decoder(run: Run) -> dict[str, Any]:
    """The decoder's cell, layers and units."""
    own = {name: value for name, value in (setting(run, "model.decoder") or {}).items() if value is not None}
    return {**run.recipe["model"]["encoder"], **own, "bidirectional": False}


def _stack_words(told: Mapping[str, Any]) -> str:
    both = told.get("bidirectional")
    way = "bidirectional" if both else "unidirectional"
    return f"{way} {_cell(told)}, {_layers(told)} of {told['hidden_size']} units" + (
        " in each direction" if both else ""
    )


def _convolution_words(told: Mapping[str, Any]) -> str:
    way = "convolution" if told.get("bidirectional") else "causal convolution"
    dilated = ", dilated" if told.get("dilated") and told.get("num_layers", 1) > 1 else ""
    return f"{way}, {_layers(told)} of {told['hidden_size']} filters {told.get('width')} steps wide{dilated}"


def _transformer_words(told: Mapping[str, Any]) -> str:
    way = "Transformer" if told.get("bidirectional") else "causal Transformer"
    return f"{way}, {_layers(told)} of {told['hidden_size']} units with {told.get('heads')} attention heads"


def _layers(told: Mapping[str, Any]) -> str:
    depth = told.get("num_layers", 1)
    return "one layer" if depth == 1 else f"{depth} layers"


def _cell(told: Mapping[str, Any]) -> str:
    return CELLS.get(told["cell"], excerpt(str(told["cell"]), 40))


def first_upper(text: str) -> str:
    """With a capital at its beginning."""
    return text[:1].upper() + text[1:]


def listed(words: Sequence[str]) -> str:
    """One, two and three."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def architecture(run: Run) -> str:
    """Every part in the order the data pass it."""
    task = run.recipe["task"]
    if task in PAIRS:
        return _encoder_decoder(run)
    words = {
        "forecasting": _forecaster,
        "tagging": _tagger,
        "pairs": _matcher,
        "language-model": _language_model,
    }
    return words.get(task, _classifier)(run)


def _language_model(run: Run) -> str:
    told, level = run.recipe["model"], run.recipe["text"]["level"]
    size = told.get("embedding", {}).get("size")
    tied = " The table of vectors is the output layer's matrix too (tied)." if told.get("tied") else ""
    sampled = (
        f" In training each batch is scored over its own tokens and {told.get('samples'):,} drawn ones (sampled "
        "softmax); scores are over all tokens."
    ) * (told.get("output") == "sampled")
    smoothing = told.get("label_smoothing")
    smoothed = f" with label smoothing {smoothing:g}" if smoothing else ""
    passage = run.recipe.get("passage")
    elsewhere = f" and reading goes on elsewhere after about {passage:,} tokens" if passage else ""
    return (
        f"A {'piece of a word' if level == 'subword' else level} is a vector of {size} numbers. Encoder: "
        f"{encoder_words(run)}. A linear layer scores every token that could come next.{tied} Loss: cross-entropy of "
        f"the next token{smoothed}.{sampled} The text is read at {run.recipe['training'].get('batch_size')} places "
        f"side by side; the state is carried on{elsewhere}, back-propagation is cut after "
        f"{run.recipe.get('bptt')} tokens (truncated BPTT)."
    )


def _tagger(run: Run) -> str:
    told = run.recipe["model"]
    words, letters = told.get("words", {}), told.get("letters", {})
    beside = {
        "lstm": f"what a bidirectional LSTM of {letters.get('hidden_size')} units makes of its letters",
        "cnn": f"what a convolution of {letters.get('width')} letters makes of its spelling",
    }.get(str(letters.get("kind")))
    parts = [f"a vector of {words.get('size')} numbers for the word", *([beside] if beside else [])]
    parts += ["one for its shape"] if words.get("shape_size") else []
    parts += ["one for each of its endings"] if words.get("suffix_size") and setting(run, "words.suffixes") else []
    tags = (
        "a conditional random field (CRF) finds the likeliest tags of the whole sentence, impossible ones left out. "
        "Loss: -log p of the sentence's tags."
        if told.get("output") == "crf"
        else "each word gets its likeliest tag (softmax). Loss: cross-entropy."
    )
    return (
        f"A word is {listed(parts)}, side by side. Encoder: {encoder_words(run)}. A linear layer scores the tags of "
        f"each word, and {tags}"
    )


def _matcher(run: Run) -> str:
    told, text, flags = run.recipe["model"], run.recipe.get("text", {}), run.recipe.get("matching", {})
    marks = ["has it too"] * bool(flags.get("same")) + ["has one that begins alike"] * bool(flags.get("alike"))
    beside = f", with a mark beside it where the other text {' and one where it '.join(marks)}" if marks else ""
    size, pooling = told.get("embedding", {}).get("size"), listed(list(told.get("pooling", [])))
    between = (
        f" Each output is compared with the mean of those of the other text that are like it (attention), to "
        f"{told.get('compared_size')} numbers, which a second encoder of the same kind reads."
    ) * (told.get("attention") == "between")
    alone = "; tokens the other has not are looked at, and pooled, once more on their own" * bool(told.get("alone"))
    loss = "one logit a label (softmax). Loss: cross-entropy."
    if run.recipe["data"].get("graded"):
        loss = "the logit of each grade. Loss: divergence from a score's shares of its two grades (Tai et al. 2015)."
    return (
        f"Both texts become {text.get('level', 'word')} tokens{_cut(text)}, each a vector of {size} numbers{beside}. "
        f"One encoder reads both: {encoder_words(run)}.{between} Outputs are pooled ({pooling}) to a vector for each "
        f"text, u and v{alone}; {told.get('head_size')} units over u, v, |u − v| and u · v give {loss}"
    )


def _forecaster(run: Run) -> str:
    told, data = run.recipe["model"], run.recipe["data"]
    segment = told.get("segment") or 1
    pieces = "one step at a time" if segment == 1 else f"{segment} steps together as one of the encoder's"
    before = {
        "last": " Each window is read less its last value, which is added to the forecast again.",
        "standard": " Each window is brought to mean 0 and deviation 1, and the forecast back.",
    }.get(str(told.get("normalise")), "")
    return (
        f"A window of {data['window']} steps, {pieces}, goes into the encoder ({encoder_words(run)}).{before} "
        f"{_further_steps(told, data)} {_head_words(told)}"
    )


def _further_steps(told: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    """How the strategy forecasts more than one step."""
    strategy, horizon = told.get("strategy", "recursive"), data["horizon"]
    if strategy == "direct":
        return f"A linear layer gives all {horizon} steps ahead at once from its last output."
    if strategy == "decoder":
        return "A decoder of the same kind goes on from its last state, fed at each step with the value before."
    if strategy == "parallel":
        return (
            "From its last state the same cell writes every segment of the horizon in one step, told only which it is "
            "(SegRNN): nothing is fed back."
        )
    aim = "the change from the last value" if told.get("change") else "the next value"
    return (
        f"Its last output goes through one linear layer, which gives {aim}; further steps are forecast by moving the "
        "window on over the model's own forecasts."
    )


def _head_words(told: Mapping[str, Any]) -> str:
    """What is said of each value, and what being wrong costs."""
    head = told.get("head", "point")
    if head == "quantile":
        levels = listed([f"{level:g}" for level in told["quantiles"]])
        return f"Of each value it gives the quantiles {levels}. Loss: pinball, in scaled units."
    if head == "gaussian":
        return "Of each value it gives mean and deviation of a normal distribution. Loss: its negative log-likelihood."
    losses = {"mae": "mean absolute error", "huber": "Huber's"}
    return f"Loss: {losses.get(str(told.get('loss')), 'mean squared error')}, in scaled units."


def _classifier(run: Run) -> str:
    told, text = run.recipe["model"], run.recipe.get("text", {})
    size = told.get("embedding", {}).get("size")
    pooling = listed(list(told.get("pooling", [])))
    pieces = told.get("segment_length")
    read = (
        f"Text becomes {text.get('level', 'word')} tokens{_cut(text)}; each becomes a vector of {size} numbers learned "
        f"with the rest (embedding){_ratio_words(run)}."
    )
    if measured(run):
        read = "Each step's measurements are read as they are, scaled by mean and deviation of the training part."
    return (
        f"{read} Encoder: {encoder_words(run)}"
        + (f", run over pieces of {pieces} tokens side by side" if pieces else "")
        + f". Its outputs are pooled ({pooling}), and a linear layer gives "
        + (
            "the logit of the second label (one sigmoid unit)."
            if told.get("single_unit")
            else "one logit a label (softmax)."
        )
        + " Loss: cross-entropy."
    )


def _cut(text: Mapping[str, Any]) -> str:
    read = [f"the {name} {text[name]}" for name in ("first", "last") if text.get(name)]
    return f", of which {listed(read)} are read" if read else ""


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


# ---- Encoder and decoder


def _encoder_decoder(run: Run) -> str:
    """Its parts as a list; how the source reaches the decoder has a point of its own."""
    text, told = run.recipe.get("text", {}), run.recipe["model"]
    joint = "one vocabulary for both sides" if text.get("joint") else "a vocabulary for each side"
    size = (told.get("embedding") or {}).get("size")
    final = ", and a final state" if encoder_kind(run) == "recurrent" else ""
    points = [
        f"Input: source and target become {text.get('level', 'word')} tokens{_cut(text)} ({joint}), each a vector of "
        f"{size} numbers learned with the rest (embedding){_tied(told)}.",
        f"Encoder: reads the whole source and gives an output for each of its tokens{final}. Decoder: "
        "writes the target token by token; each token it has written is its next input.",
        f"How the context is passed: {context_words(run)}.",
        f"Training: {_loss_words(run)}.",
        f"Search: {search_words(run)}.",
        *_parameters(run),
    ]
    return "\n".join(f"- {point}" for point in points)


def _parameters(run: Run) -> list[str]:
    """Numbers to learn, part by part."""
    layers = [(str(name).split(":")[0], int(count)) for name, _, count in run.summary.get("layers", [])]
    told = listed([f"{excerpt(name, 40)} {count:,}" for name, count in layers])
    return [f"Parameters: {told}; in all {sum(count for _, count in layers):,}."] if layers else []


def _tied(told: Mapping[str, Any]) -> str:
    return {
        "two-way": "; the target's vectors are also the matrix of the output layer (tied)",
        "three-way": "; one table of vectors serves source, target and output layer (tied)",
    }.get(told.get("tied", "none"), "")


ATTENTION = {
    "additive": "additive: vᵀ tanh(W q + U k + b), Bahdanau et al. 2015",
    "dot": "dot: qᵀ k, Luong et al. 2015",
    "general": "general: qᵀ W k, Luong et al. 2015",
    "concat": "concat: vᵀ tanh(W [q; k]), Luong et al. 2015",
}


def context_words(run: Run) -> str:
    """How what the encoder has read reaches the decoder: bridge, context at every step, attention."""
    context, bridge = setting(run, "model.context"), _bridge_words(run)
    if context == "attention":
        kind = ATTENTION.get(setting(run, "model.attention.kind"), str(setting(run, "model.attention.kind")))
        feeding = (
            "; what was found is fed into the next step's input too (input feeding)"
            if setting(run, "model.attention.input_feeding")
            else ""
        )
        return (
            f"{bridge}. At every step it looks back at all encoder outputs: attention compares its own output q with "
            f"each of them, k ({kind}), and a softmax over the source turns this into the weights of a mean, the "
            f"context{feeding}. So no single vector has to hold the sentence"
        )
    if context == "every-step":
        return (
            f"{bridge}, and {_summary(run)} stands beside every input of the decoder and before its output "
            "layer (Cho et al. 2014). No attention: a vector of fixed size has to hold the whole source"
        )
    return (
        f"{bridge}, and by nothing else (Sutskever et al. 2014). No attention: a state of fixed size has to hold the "
        "whole source, and the longer that is, the more is lost"
    )


def _summary(run: Run) -> str:
    """What an encoder that has read a source comes to in one vector."""
    return "the encoder's last output" if encoder_kind(run) == "recurrent" else "the mean of the encoder's outputs"


def _bridge_words(run: Run) -> str:
    told, bridge = run.recipe["model"]["encoder"], setting(run, "model.bridge")
    if bridge == "zero":
        return "the decoder starts from a state of zeros (no bridge)"
    if encoder_kind(run) != "recurrent":
        return f"{_summary(run)} becomes the decoder's first state through a linear layer for each state (tanh for h)"
    decoder, both = _decoder(run), 2 if told.get("bidirectional") else 1
    same = told["cell"] == decoder["cell"] and both * told["hidden_size"] == decoder["hidden_size"]
    ends = "the encoder's final state" + (", both directions side by side," if both == 2 else "")
    if bridge == "auto" and same:
        return f"{ends} becomes the decoder's first state as it is, layer by layer"
    return f"{ends} becomes the decoder's first state through a linear layer for each state (bridge; tanh for h)"


def _loss_words(run: Run) -> str:
    smoothing, forced = setting(run, "model.label_smoothing") or 0, setting(run, "teacher_forcing") or {}
    told = "cross-entropy a target token" + (f" with label smoothing {smoothing:g}" if smoothing else "")
    first, last = forced.get("ratio", 1.0), forced.get("final_ratio", 1.0)
    if first == last == 1:
        return f"{told}, the true token before it given as input (teacher forcing)"
    share = f"{100 * first:.0f} %" if first == last else f"{100 * first:.0f} % at first and {100 * last:.0f} % at last"
    return f"{told}; of the decoder's inputs {share} are the true tokens, the others its own (scheduled sampling)"


def search_words(run: Run) -> str:
    """How an answer is searched for."""
    told = run.recipe.get("decoding", {})
    method = told.get("method", "greedy")
    if method == "beam":
        alpha = told.get("length_penalty", 0)
        ranked = f"log p / ((5 + length) / 6)^{alpha:g} (length penalty)" if alpha else "log p alone"
        said = f"beam search with {told.get('beam_size')} hypotheses side by side, ranked by {ranked}"
    elif method == "sample":
        limits = [f"temperature {told.get('temperature', 1):g}"]
        limits += [f"the {told['top_k']} likeliest tokens"] if told.get("top_k") else []
        limits += [f"top-p {told['top_p']:g}"] if told.get("top_p", 1) < 1 else []
        said = f"tokens are drawn at random ({', '.join(limits)})"
    else:
        said = "greedy, the likeliest token at every step"
    never = told.get("no_repeat_ngram")
    return said + (f"; no run of {never} tokens twice" if never else "")
