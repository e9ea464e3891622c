"""How data pass through what writes its answer step by step: encoder-decoders, and forecasters."""

from collections.abc import Mapping
from typing import Any

from lstmlab.analysis.flow import Box, Flow, Line
from lstmlab.analysis.flow_parts import Known, encoder_box, output_size, shape

Tree = Mapping[str, Any]

KINDS = {"additive": "vᵀ tanh(W q + U k)", "dot": "qᵀ k", "general": "qᵀ W k", "concat": "vᵀ tanh(W [q; k])"}


def encoder_decoder(recipe: Tree, known: Known) -> Flow:
    """The source above, the target below, and between them how the context is passed."""
    model = recipe["model"]
    encoder, decoder, context = model["encoder"], _decoder(model), model.get("context")
    size = str(model.get("embedding", {}).get("size"))
    names = ("Source", "Target") if recipe["task"] == "translation" else ("Turns said", "Reply")
    shared = model.get("tied") == "three-way"
    source = known.size("embedding.table.weight", 0, known.size("decoder.embedding.table.weight", 0, "V"))
    target = known.size("decoder.embedding.table.weight", 0, "V")
    forced = (recipe.get("teacher_forcing") or {}).get("final_ratio", 1.0)
    fed = "true tokens" if forced == 1 else "true or own"
    boxes = [
        Box("source", names[0], (0, 0), ("tokens", "[B S]"), "data"),
        Box("vectors", "Embedding", (1, 0), (f"{source} × {size}", *known.count("embedding"))),
        encoder_box(encoder, (2, 0), known, last="S"),
        Box("target", names[1], (0, 2), (fed, "[B T]"), "data"),
        Box("given", "Embedding", (1, 2), (f"{target} × {size}", *(["one table for both"] if shared else []))),
        encoder_box({**decoder, "kind": "recurrent"}, (2, 2), Known(), name="decoder", title="Decoder"),
        *_search(recipe),
    ]
    lines = [
        Line("source", "vectors", "ids"),
        Line("vectors", "encoder", shape("B S", size)),
        Line("target", "given", "ids"),
        Line("given", "decoder", shape("B T", size)),
    ]
    more_boxes, more_lines = _bridge(model, known)
    reading = _context(model, known)
    boxes += [*more_boxes, *reading[0], *_end(model, target, known)]
    lines += [*more_lines, *reading[1]]
    width = decoder["hidden_size"]
    plain = context == "state" and not known.shapes.get("decoder.readout.weight")
    features = known.size("decoder.readout.weight", 0, size if model.get("tied", "none") != "none" else str(width))
    if not plain:
        boxes.append(Box("readout", "Readout", (3, 2), ("tanh(W [h; c])",)))
        lines += [Line("decoder", "readout", shape("B T", width)), Line("readout", "output", shape("B T", features))]
    else:
        lines.append(Line("decoder", "output", shape("B T", width)))
    lines += [Line("output", "loss", shape("B T", target)), *_written(boxes)]
    told = (
        "An encoder reads the source; a decoder writes the target; how the one reaches the other stands between them."
    )
    return Flow("Data flow of the encoder-decoder", told, tuple(boxes), tuple(lines))


def _decoder(model: Tree) -> dict[str, Any]:
    own = {name: value for name, value in (model.get("decoder") or {}).items() if value is not None}
    return {**model["encoder"], **own, "bidirectional": False}


def _end(model: Tree, target: str, known: Known) -> list[Box]:
    """Output layer and loss."""
    tied = model.get("tied", "none") != "none"
    smoothed = model.get("label_smoothing")
    loss = ("cross-entropy,", "true tokens [B T]", *([f"smoothing {smoothed:g}"] if smoothed else []))
    how = "embedding's table" if tied else "linear"
    return [
        Box("output", "Output", (4, 2), (how, f"softmax over {target}")),
        Box("loss", "Loss", (5, 2), loss, "loss"),
    ]


def _search(recipe: Tree) -> list[Box]:
    told = recipe.get("decoding") or {}
    method = told.get("method", "greedy")
    how = {"beam": f"beam of {told.get('beam_size')}", "sample": "tokens drawn"}.get(method, "greedy")
    return [Box("search", "Search", (4, 1), (f"to answer: {how}", "each token is fed back"), "data")]


def _written(boxes: list[Box]) -> list[Line]:
    return [Line("output", "search", "", ("t", "b"), dashed=True)] if any(box.name == "search" for box in boxes) else []


def _bridge(model: Tree, known: Known) -> tuple[list[Box], list[Line]]:
    """How the encoder's final state becomes the decoder's first one."""
    kind, encoder, decoder = model.get("bridge"), model["encoder"], _decoder(model)
    if kind == "zero":
        return [], []
    fits = encoder["cell"] == decoder["cell"] and output_size(encoder) == decoder["hidden_size"]
    final = "final state" if encoder.get("kind", "recurrent") == "recurrent" else "mean output"
    if kind == "auto" and fits and encoder.get("kind", "recurrent") == "recurrent":
        return [], [Line("encoder", "decoder", f"{final}, as it is", ("b", "t"), leave=-30.0, arrive=-30.0)]
    sizes = f"{output_size(encoder)} → {decoder['hidden_size']}"
    return (
        [Box("bridge", "Bridge", (2, 1), (f"linear, {sizes}", *known.count("bridges")))],
        [
            Line("encoder", "bridge", final, ("b", "t")),
            Line("bridge", "decoder", "first state", ("b", "t")),
        ],
    )


def _context(model: Tree, known: Known) -> tuple[list[Box], list[Line]]:
    """What of the source the decoder sees at every step."""
    memory = output_size(model["encoder"])
    if model.get("context") == "attention":
        asked = model.get("attention") or {}
        kind = str(asked.get("kind"))
        box = Box("attention", "Attention", (3, 1), (f"{kind}: {KINDS.get(kind, '')}", "softmax over the source"))
        found = [
            Line("encoder", "attention", shape("B S", memory), ("r", "t"), leave=-8.0, arrive=-20.0),
            Line("decoder", "attention", "q", ("t", "l"), leave=75.0),
            Line("attention", "readout", f"context {shape('B T', memory)}", ("b", "t")),
        ]
        if asked.get("input_feeding"):
            found.append(Line("readout", "decoder", "input feeding: into the next step's input", ("b", "b"), lane=14.0))
        return [box], found
    if model.get("context") == "every-step":
        box = Box("summary", "Summary", (3, 1), ("the encoder's", "last output"))
        return [box], [
            Line("encoder", "summary", shape("B", memory), ("r", "t")),
            Line("summary", "decoder", "at every step", ("l", "t"), arrive=70.0),
            Line("summary", "readout", "", ("b", "t")),
        ]
    return [], []


# ---- Forecasters ----------------------------------------------------------------------------------------------------


def forecaster(recipe: Tree, known: Known) -> Flow:
    """A window, the encoder, and all steps at once, one after the other, or by a decoder."""
    model, data = recipe["model"], recipe["data"]
    encoder, strategy, segment = model["encoder"], str(model.get("strategy", "recursive")), int(model.get("segment", 1))
    hidden, window = output_size(encoder), data.get("window")
    projects = segment > 1 or strategy == "parallel"
    step = known.size("encoder.layers.0.forwards.input_weight", 1, "X")
    steps = -(-int(window or 1) // segment) if segment > 1 else window
    known_step = known.size("enter.weight", 1, "X") if projects else step
    norm = {"last": "less its last value", "standard": "to mean 0, deviation 1"}.get(str(model.get("normalise")), "")
    scaled = "scaled by training" if data.get("scale") == "standard" else ""
    lines_of = tuple(filter(None, (f"{window} steps", scaled, norm)))
    boxes = [Box("window", "Window", (0, 0), lines_of, "data")]
    lines: list[Line] = []
    before = "window"
    if projects:
        boxes.append(
            Box("enter", "Segments", (1, 0), (f"{segment} steps together", "linear, ReLU", *known.count("enter")))
        )
        lines.append(Line("window", "enter", shape("B", window, "X" if segment > 1 else known_step)))
        before = "enter"
        step = str(encoder["hidden_size"])
    boxes.append(encoder_box(encoder, (2, 0), known))
    lines.append(Line(before, "encoder", shape("B", steps, step)))
    more_boxes, more_lines = _ahead(recipe, known, hidden)
    told = "From a window of the past to the steps that follow it."
    return Flow("Data flow of the forecaster", told, (*boxes, *more_boxes), (*lines, *more_lines))


def _ahead(recipe: Tree, known: Known, hidden: int) -> tuple[list[Box], list[Line]]:
    """From the encoder's end to the loss."""
    model, data = recipe["model"], recipe["data"]
    strategy, horizon = str(model.get("strategy", "recursive")), int(data.get("horizon") or 1)
    said, loss = _said(model)
    straight = int(model.get("highway") or 0)
    if norm := {"last": "+ the last value", "standard": "put back to scale"}.get(str(model.get("normalise")), ""):
        said = (*said, norm)
    if model.get("change"):
        said = (*said, "+ the last value")
    output = Box("output", "Output", (4, 0), ("linear", *said, *known.count("output", "plan", "highway")))
    end = [output, Box("loss", "Loss", (5, 0), (*loss, "in scaled units"), "loss")]
    result = Line("output", "loss", shape("B", *_result(model, horizon, known)))
    extra = [
        Line("window", "output", f"straight way: the last {straight} values, one linear layer", ("t", "t"), lane=14.0)
    ] * bool(straight)
    if strategy == "decoder":
        decoder = encoder_box({**model["encoder"], "kind": "recurrent"}, (3, 0), known, name="decoder",
                              title="Decoder", parts=("decoder",), lines=[f"{horizon} steps"])  # fmt: skip
        return [decoder, *end], [
            Line("encoder", "decoder", "final state"),
            Line("decoder", "output", shape("B", horizon, hidden)),
            Line("output", "decoder", "the value before is the next input", ("b", "b"), lane=14.0),
            result, *extra,
        ]  # fmt: skip
    if strategy == "parallel":
        count = -(-horizon // int(model.get("segment", 1)))
        told = (f"{count} segment{'s' * (count > 1)},", "each told its place")
        places = Box("places", "Same cell, one step", (3, 0), told, "recurrent")
        return [places, *end], [
            Line("encoder", "places", "final state"),
            Line("places", "output", shape("B", count, hidden)),
            result,
            *extra,
        ]
    if strategy == "direct":
        return end, [Line("encoder", "output", f"last {shape('B', hidden)}"), result, *extra]
    again = f"{horizon} steps ahead: the window moves on over the model's own forecasts"
    back = [Line("output", "window", again, ("b", "b"), dashed=True, lane=14.0)] if horizon > 1 else []
    return end, [Line("encoder", "output", f"last {shape('B', hidden)}"), result, *back, *extra]


def _result(model: Tree, horizon: int, known: Known) -> tuple[object, ...]:
    """Steps, values and what is said of each: what the output layer gives."""
    strategy = str(model.get("strategy", "recursive"))
    steps = 1 if strategy == "recursive" else horizon
    said = {"quantile": len(model.get("quantiles") or ()), "gaussian": 2}.get(str(model.get("head")), 1)
    at_once = {"direct": horizon, "parallel": int(model.get("segment") or 1)}.get(strategy, 1)
    wide = known.shapes.get("output.weight")
    values = "C" if wide is None else wide[0] // max(1, said * at_once)
    return (steps, values, said) if said > 1 else (steps, values)


def _said(model: Tree) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What is said of each value, and the loss."""
    head = model.get("head", "point")
    if head == "quantile":
        return (f"{len(model['quantiles'])} quantiles",), ("pinball",)
    if head == "gaussian":
        return ("mean and deviation",), ("−log likelihood",)
    losses = {"mae": "absolute error", "huber": "Huber's"}
    return (), (losses.get(str(model.get("loss")), "squared error"),)
