"""How data pass through classifiers, taggers, language models and models of two texts."""

from collections.abc import Mapping
from typing import Any

from lstmlab.analysis.flow import Box, Flow, Line
from lstmlab.analysis.flow_parts import Known, encoder_box, output_size, shape
from lstmlab.data.load import DataSettings
from lstmlab.report import excerpt

Tree = Mapping[str, Any]


def classifier(recipe: Tree, known: Known) -> Flow:
    """Tokens or measurements, vectors, encoder, pooling, output layer, loss."""
    model = recipe["model"]
    encoder, pooling = model["encoder"], [str(name) for name in model.get("pooling", [])]
    measured = DataSettings.model_construct(**recipe["data"]).numeric
    size, hidden = (
        known.size("embedding.table.weight", 1, str(model.get("embedding", {}).get("size"))),
        output_size(encoder),
    )
    beside = int(model.get("embedding", {}).get("ratios", 0) or 0)
    read = known.size("encoder.layers.0.forwards.input_weight", 1, f"{size} + {beside}" if beside else size)
    pooled, single = hidden * len(pooling), bool(model.get("single_unit"))
    classes = known.size("output.weight", 0, "K")
    pieces = model.get("segment_length")
    if measured:
        read = known.size("encoder.layers.0.forwards.input_weight", 1, "F")
        first = [Box("tokens", "Measurements", (0, 0), (shape("B T", read), "scaled by training"), "data")]
        lines = [Line("tokens", "encoder", shape("B T", read))]
    else:
        first = [tokens_box(recipe, (0, 0)), embedding_box(known, (1, 0), size, ratios=beside)]
        lines = [Line("tokens", "embedding", "ids"), Line("embedding", "encoder", shape("B T", read))]
    boxes = [
        *first,
        encoder_box(encoder, (2, 0), known, lines=[f"pieces of {pieces} tokens"] if pieces else []),
        Box("pooling", "Pooling", (3, 0), (" + ".join(pooling), *_dropped(model.get("dropout")))),
        Box("output", "Output", (4, 0), ("linear", "sigmoid" if single else "softmax", *known.count("output"))),
        Box("loss", "Loss", (5, 0), ("cross-entropy", "with the labels [B]"), "loss"),
    ]
    lines += [
        Line("encoder", "pooling", shape("B T", hidden)),
        Line("pooling", "output", shape("B", pooled)),
        Line("output", "loss", shape("B", 1 if single else classes)),
    ]
    begin = "measurements to the loss:" if measured else "tokens to the loss: embedding,"
    told = f"From {begin} encoder, pooling over time, output layer."
    return Flow("Data flow of the classifier", told, tuple(boxes), tuple(lines))


def tokens_box(recipe: Tree, at: tuple[int, int], name: str = "tokens", title: str = "Tokens") -> Box:
    """A text cut into tokens."""
    text = recipe.get("text", {})
    level = {"word": "words", "character": "characters", "subword": "pieces of words"}.get(str(text.get("level")), "")
    cut = [f"{end} {text[end]}" for end in ("first", "last") if text.get(end)]
    return Box(name, title, at, tuple(filter(None, (level, " and ".join(cut), "[B T]"))), "data")


def embedding_box(known: Known, at: tuple[int, int], size: str, *, ratios: int = 0) -> Box:
    """A table of vectors."""
    vocabulary = known.size("embedding.table.weight", 0, "V")
    beside = ("+ log-count ratios", f"of 1 to {ratios}-grams") if ratios else ()
    return Box("embedding", "Embedding", at, (f"{vocabulary} × {size}", *beside, *known.count("embedding")))


def _dropped(share: Any) -> tuple[str, ...]:
    return (f"dropout {share:g}",) if share else ()


# ---- Taggers --------------------------------------------------------------------------------------------------------


def tagger(recipe: Tree, known: Known) -> Flow:
    """What stands for a word side by side, encoder, a score for each tag, and the tags together or one by one."""
    model = recipe["model"]
    encoder, crf = model["encoder"], model.get("output") == "crf"
    features = _word_features(recipe, known)
    parts = [
        Box(f"part{at}", title, (1, 0), told, shift=53.0 * (at - (len(features) - 1) / 2))
        for at, (title, told) in enumerate(features)
    ]
    read = known.size("encoder.layers.0.forwards.input_weight", 1, "F")
    read = known.size("encoder.layers.0.weight", 1, read)
    dropped = _dropped(model["words"].get("locked_dropout"))
    tags = known.size("output.weight", 0, "K")
    together = ("all tags of a", "sentence together", "loss: −log p", *known.count("crf"))
    boxes = [
        Box("words", "Words", (0, 0), ("of a sentence", "[B T]"), "data"), *parts,
        Box("joined", "Side by side", (2, 0), (shape("B T", read), *dropped)),
        encoder_box(encoder, (3, 0), known),
        Box("output", "Output", (4, 0), ("linear", *_dropped(model.get("dropout")), *known.count("output"))),
        Box("crf", "CRF", (5, 0), together, "loss") if crf else
        Box("crf", "Softmax", (5, 0), ("each word's tag", "for itself", "loss: cross-entropy"), "loss"),
    ]  # fmt: skip
    lines = [Line("words", part.name) for part in parts] + [Line(part.name, "joined") for part in parts]
    lines += [
        Line("joined", "encoder"),
        Line("encoder", "output", shape("B T", output_size(encoder))),
        Line("output", "crf", shape("B T", tags)),
    ]
    told = "From words to tags: vectors of words, letters, shape and endings side by side, an encoder, a score per tag."
    return Flow("Data flow of the tagger", told, tuple(boxes), tuple(lines))


def _word_features(recipe: Tree, known: Known) -> list[tuple[str, tuple[str, ...]]]:
    """What stands for a word: title and lines of each."""
    model = recipe["model"]
    words, letters = model.get("words", {}), model.get("letters", {})
    table = f"{known.size('table.weight', 0, 'V')} × {words.get('size')}"
    found: list[tuple[str, tuple[str, ...]]] = [("Word vector", (table,))]
    units = letters.get("hidden_size")
    kinds = {
        "lstm": (f"bidirectional LSTM: 2 × {units}",),
        "cnn": (f"convolution of {letters.get('width')}: {2 * int(units or 0)}",),
    }
    if letters.get("kind") in kinds:
        found.append(("Letters", kinds[letters["kind"]]))
    endings = recipe.get("words", {}).get("suffixes") or []
    beside = [f"shape {words['shape_size']}"] if words.get("shape_size") else []
    if words.get("suffix_size") and endings:
        beside.append(f"{len(endings)} ending{'s' * (len(endings) > 1)} × {words['suffix_size']}")
    if beside:
        found.append(("Shape and endings", (", ".join(beside),)))
    return found


# ---- Language models ------------------------------------------------------------------------------------------------


def language_model(recipe: Tree, known: Known) -> Flow:
    """Tokens, vectors, a stack whose state is carried on, a score for every token that could come next."""
    model = recipe["model"]
    encoder, tied = model["encoder"], bool(model.get("tied"))
    vocabulary = known.size("embedding.table.weight", 0, "V")
    size, hidden = str(model.get("embedding", {}).get("size")), output_size(encoder)
    sampled = model.get("output") == "sampled"
    last = "embedding's table" if tied else "linear"
    softmax = f"sampled softmax ({model.get('samples'):,})" if sampled else "softmax"
    boxes = [
        tokens_box(recipe, (0, 0)),
        embedding_box(known, (1, 0), size),
        encoder_box(encoder, (2, 0), known, title="Recurrent stack", parts=("layers",)),
        Box("output", "Output", (4, 0), (last, softmax, *_dropped(model.get("dropout")), *known.count("output"))),
        Box("loss", "Loss", (5, 0), ("cross-entropy with", "the next tokens [B T]"), "loss"),
    ]
    lines = [
        Line("tokens", "embedding", "ids"),
        Line("embedding", "encoder", shape("B T", size)),
        Line("encoder", "encoder", f"state carried on; gradient cut after {recipe.get('bptt')} tokens", ("t", "t"),
             leave=60.0, arrive=-60.0, lane=14.0),
        Line("output", "loss", shape("B T", vocabulary)),
        Line("output", "tokens", "when it writes: the token drawn is read next", ("b", "b"), dashed=True),
    ]  # fmt: skip
    if "readout.weight" in known.shapes or (tied and encoder["hidden_size"] != model["embedding"]["size"]):
        boxes.insert(3, Box("readout", "Readout", (3, 0), ("linear", *known.count("readout"))))
        lines += [Line("encoder", "readout", shape("B T", hidden)), Line("readout", "output", shape("B T", size))]
    else:
        lines.append(Line("encoder", "output", shape("B T", hidden)))
    told = "From tokens to the likelihood of the next one: embedding, recurrent stack, output layer."
    return Flow("Data flow of the language model", told, tuple(boxes), tuple(lines))


# ---- Two texts ------------------------------------------------------------------------------------------------------


def matcher(recipe: Tree, known: Known) -> Flow:
    """Two texts through one encoder, compared token by token and as a whole."""
    model = recipe["model"]
    encoder, looks = model["encoder"], model.get("attention") == "between"
    size, hidden = str(model.get("embedding", {}).get("size")), output_size(model["encoder"])
    read = known.size("encoder.layers.0.forwards.input_weight", 1, size)
    pooling = [str(name) for name in model.get("pooling", [])]
    pooled = hidden * len(pooling) * (2 if model.get("alone") else 1)
    graded = bool(recipe["data"].get("graded"))
    grades = known.size("output.weight", 0, "K")
    sides = recipe["data"]
    boxes = [
        _side("first", excerpt(str(sides.get("first") or "First text"), 14), -36.0, "[B T]"),
        _side("second", excerpt(str(sides.get("second") or "Second text"), 14), 36.0, "[B S]"),
        embedding_box(known, (1, 0), size),
        encoder_box(encoder, (2, 0), known, lines=["one for both texts"]),
    ]
    lines = [
        Line("first", "embedding", arrive=-7.0),
        Line("second", "embedding", arrive=7.0),
        Line("embedding", "encoder", shape("B T", read)),
    ]
    if looks:
        compared = model.get("compared_size")
        how = ("each token beside its", "like in the other text", f"linear to {compared}")
        boxes += [
            Box("attention", "Attention between", (3, 0), (*how, *known.count("comparison"))),
            encoder_box(encoder, (2, 1), known, name="composition", title="Second encoder", parts=("composition",)),
        ]
        lines += [
            Line("encoder", "attention", shape("B T", hidden)),
            Line("attention", "composition", shape("B T", compared), ("b", "t")),
        ]
    last, row = ("composition", 1) if looks else ("encoder", 0)
    boxes += [
        Box("pooling", "Pooling", (3, row), (" + ".join(pooling), f"to u and v, [B {pooled}]")),
        Box("head", "Head", (4, row), ("u, v, |u − v|, u · v", f"tanh, {model.get('head_size')} units",
            *known.count("head"))),
        Box("output", "Output", (5, row), ("linear", "softmax", *known.count("output"))),
        Box("loss", "Loss", (5, 1 - row), ("divergence from the" if graded else "cross-entropy", "grades" if graded else
            "with the labels [B]"), "loss"),
    ]  # fmt: skip
    lines += [
        Line(last, "pooling", shape("B T", hidden)),
        Line("pooling", "head"),
        Line("head", "output", shape("B", model.get("head_size"))),
        Line("output", "loss", shape("B", grades), ("t", "b") if looks else ("b", "t")),
    ]
    told = "Two texts through one encoder; tokens compared between the texts, then both as a whole."
    return Flow("Data flow of the model of two texts", told, tuple(boxes), tuple(lines))


def _side(name: str, title: str, shift: float, told: str) -> Box:
    return Box(name, title[:1].upper() + title[1:], (0, 0), ("tokens", told), "data", shift=shift)
