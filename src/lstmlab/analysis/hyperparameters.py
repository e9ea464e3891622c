"""The settings of a run that a reader asks for first, as a table."""

from collections.abc import Sequence
from typing import Any

from lstmlab.analysis.architecture import PAIRS, encoder_kind, setting
from lstmlab.report import Table, excerpt
from lstmlab.training.questions import measured
from lstmlab.training.run import Run

_SETTINGS = (  # what a reader asks for first: a name, where it stands
    ("encoder", "model.encoder.kind"),
    ("cell", "model.encoder.cell"),
    ("steps a filter sees", "model.encoder.width"),
    ("dilated filters", "model.encoder.dilated"),
    ("attention heads", "model.encoder.heads"),
    ("layers", "model.encoder.num_layers"),
    ("hidden units", "model.encoder.hidden_size"),
    ("reads both ways", "model.encoder.bidirectional"),
    ("embedding", "model.embedding.size"),
    ("read in pieces of", "model.segment_length"),
    ("pooling", "model.pooling"),
    ("cell of the decoder", "model.decoder.cell"),
    ("layers of the decoder", "model.decoder.num_layers"),
    ("units of the decoder", "model.decoder.hidden_size"),
    ("initialisation", "model.encoder.initialisation"),
    ("forget bias at the start", "model.encoder.forget_bias"),
    ("dropout between layers", "model.encoder.dropout"),
    ("layer normalisation", "model.encoder.layer_norm"),
    ("recurrent dropout", "model.encoder.recurrent_dropout"),
    ("zoneout of the output", "model.encoder.zoneout"),
    ("zoneout of the memory", "model.encoder.zoneout_memory"),
    ("weight drop", "model.encoder.weight_drop"),
    ("dropout of the memory", "model.memory_dropout"),
    ("dropout before the output", "model.dropout"),
    ("dropout before the output", "model.decoder.dropout"),
    ("word dropout", "model.embedding.word_dropout"),
    ("dropout of vectors", "model.embedding.dropout"),
    ("locked dropout", "model.embedding.locked_dropout"),
    ("log-count ratios up to", "model.embedding.ratios"),
    ("size of word vectors", "model.words.size"),
    ("letters read by", "model.letters.kind"),
    ("label smoothing", "model.label_smoothing"),
    ("output", "model.output"),
    ("locked dropout of words", "model.words.locked_dropout"),
    ("noise on the inputs", "model.input_noise"),
    ("vocabulary dropout", "model.embedding.vocabulary_dropout"),
    ("tokens of back-propagation", "bptt"),
    ("tokens read in order", "passage"),
    ("vocabulary at most", "text.vocabulary_size"),
    ("turns read", "data.turns"),
    ("scaling", "data.scale"),
    ("epochs", "training.epochs"),
    ("steps", "training.steps"),
    ("minutes", "training.minutes"),
    ("batch size", "training.batch_size"),
    ("tokens a batch", "training.tokens"),
    ("batches per step", "training.accumulate"),
    ("patience", "training.patience"),
    ("optimiser", "training.optimizer.method"),
    ("learning rate", "training.optimizer.learning_rate"),
    ("schedule", "training.optimizer.schedule"),
    ("warm-up", "training.optimizer.warmup"),
    ("weight decay", "training.optimizer.weight_decay"),
    ("gradient clipped at", "training.optimizer.clip"),
    ("averaging of weights", "training.optimizer.average"),
    ("epochs averaged", "training.average_epochs"),
    ("longest output", "decoding.max_length"),
    ("seed", "seed"),
)
STARTS = {"torch": "uniform, ±1/√units"}
"""What a reader who does not know torch calls a way to draw the first weights."""
# What one kind of encoder has and the others do not; the last are a decoder's too, which is always recurrent.
_CELL = ("model.encoder.cell",)
_STACK = tuple(
    f"model.encoder.{name}"
    for name in (
        "initialisation", "forget_bias", "layer_norm", "recurrent_dropout", "zoneout", "zoneout_memory", "weight_drop"
    )
)  # fmt: skip
_OWN = {
    "recurrent": (*_CELL, *_STACK),
    "convolution": ("model.encoder.width", "model.encoder.dilated"),
    "transformer": ("model.encoder.heads",),
}
# Values that say no more than that nothing is on.
_OFF = {"encoder": "recurrent", "batches per step": 1, "epochs averaged": 1, "layer normalisation": "none"}


def settings_table(run: Run) -> Table:
    """The settings a reader asks for first."""
    idle = _idle(run)
    # A Transformer drops inside every layer, behind both of its halves, and so with a single layer too.
    inside = {"model.encoder.dropout": "dropout in each layer"} if encoder_kind(run) == "transformer" else {}
    found = [(inside.get(path, name), setting(run, path)) for name, path in _SETTINGS if path not in idle]
    kept = [
        (name, STARTS.get(value, value) if name == "initialisation" else _shown(value))
        for name, value in found
        if value is not None and (name == "seed" or value != _OFF.get(name, 0))
    ]
    told = " What passes the context and searches is told above." if run.recipe["task"] in PAIRS else ""
    return pairs("Settings.", kept, f"What is switched off is left out; recipe.yaml has every setting.{told}")


def _idle(run: Run) -> set[str]:
    """Settings of other kinds of encoder than the run's, and of texts where it reads none."""
    kind = encoder_kind(run)
    others = {path for name, paths in _OWN.items() if name != kind for path in paths}
    if measured(run):
        others |= {path for _, path in _SETTINGS if path.startswith(("text.", "model.embedding."))}
    return others - set(_STACK) if run.recipe["task"] in PAIRS else others


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return excerpt(", ".join(map(str, value)), 40)
    return excerpt(value, 40) if isinstance(value, str) else f"{value:g}"


def pairs(title: str, found: Sequence[tuple[str, str]], note: str = "") -> Table:
    """Names and values as a table of three pairs a row, read downwards: a third of the height."""
    height = -(-len(found) // 3)
    columns = [found[at : at + height] for at in range(0, len(found), height)]
    rows = [
        [word for column in columns for word in (column[at] if at < len(column) else ("", ""))] for at in range(height)
    ]
    return Table(title, ["Setting", "Value"] * len(columns), rows, note)
