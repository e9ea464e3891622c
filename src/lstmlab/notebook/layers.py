"""What a recipe says of recurrent layers, as plain PyTorch can say it."""

import math
from collections.abc import Mapping
from typing import Any

from lstmlab.cells import Cell, find_cell
from lstmlab.errors import InputError
from lstmlab.kernels import native, notation
from lstmlab.nn.recurrent import RecurrentSettings
from lstmlab.notebook.steps import step_facts

PLAIN_WORDS = (
    "A plain recurrent network has no gates: the new state is mixed from the input and the whole old state, and what "
    "was long ago soon fades."
)
WORDS = {
    "lstm": (
        "LSTM",
        "An LSTM keeps two vectors: its memory $c$ and its output $h$. At every step the **forget** gate $f$ says how "
        "much of the memory stays, the **input** gate $i$ how much of the new value goes in, and the **output** gate "
        "$o$ how much of the memory is shown. What is kept is only multiplied by $f$ and added to: how long a memory, "
        "and its gradient in training, lasts depends on how near to 1 training brings $f$. At 0.5 half of it is gone "
        "after one step, at 0.99 after 69.",
    ),
    "gru": (
        "GRU",
        "A GRU keeps one vector $h$. The **update** gate $z$ says how much of the old state stays, and the **reset** "
        "gate $r$ how much of the past the new value $n$ may see.",
    ),
    "rnn": ("plain RNN", PLAIN_WORDS),
    "rnn-relu": ("plain RNN with ReLU", PLAIN_WORDS),
}
PLAIN = ("layer_norm", "recurrent_dropout", "zoneout", "zoneout_memory", "weight_drop", "residual", "locked")
"""Settings of a layer that a notebook has no words for yet, where they are not at their defaults."""


def cell_facts(cell: Cell) -> dict[str, Any]:
    """How a template names, explains and builds a cell; one that torch has no layer for is `written` out."""
    known = native.layout(cell)
    title, words = WORDS.get(cell.name, (cell.name, ""))
    if not words:
        source = f" ({cell.source})" if cell.source else ""
        memory = " and ".join(f"${name}$" for name in cell.states)
        shown = f", of which ${cell.states[0]}$ is shown" if len(cell.states) > 1 else ""
        words = f"The cell of this network, {cell.name}{source}, remembers {memory}{shown}."
    facts = {
        "title": title,
        "words": words,
        "latex": notation.latex(cell),
        "gated": len(cell.gates) > 1,
        "states": cell.states,
        "written": None,
        "argument": "",
    }
    if known is None:
        step = step_facts(cell)
        return {**facts, "written": step, "module": f"{step['class']}Layer", "gates": cell.gates, "inner": None}
    return {
        **facts,
        "module": f"nn.{known.module.__name__}",
        "argument": ', nonlinearity="relu"' if known.function == "rnn_relu" else "",
        "gates": known.gates,
        "inner": known.gates.index(cell.recurrent_bias[0]) if cell.recurrent_bias else None,
    }


def layer_facts(
    settings: RecurrentSettings, where: str = "model.encoder", *, handed_over: bool = False
) -> dict[str, Any]:
    """What a template needs of a stack. Raises InputError for settings that a notebook cannot yet write.

    Where states are `handed_over` (to a decoder, to the next batch) it has to be one of torch's own layers.
    """
    kind = getattr(settings, "kind", "recurrent")  # of the encoders, some are not recurrent
    if kind != "recurrent":
        raise unwritten(f"{where}.kind={kind}", "kind=recurrent")
    cell = find_cell(settings.cell)
    refuse(settings, PLAIN, where)
    facts = cell_facts(cell)
    if facts["written"]:
        if handed_over:
            names = ", ".join(one.cell.name for one in native.LAYOUTS)
            raise unwritten(f'the cell "{cell.name}" ({where}.cell) where its state is handed on', f"one of {names}")
        refuse(settings, ("initialisation", "forget_bias", "second_bias"), where)
    if settings.initialisation == "chrono":
        raise unwritten(f"{where}.initialisation=chrono")
    starts = not facts["written"]
    starts &= settings.initialisation != "torch" or settings.forget_bias is not None or not settings.second_bias
    forget = settings.forget_bias if "forget" in cell.gates else None
    if settings.initialisation == "orthogonal" and forget is None:
        forget = cell.initial_bias.get("forget")
    return {
        **{name: getattr(settings, name) for name in ("hidden_size", "num_layers", "bidirectional", "second_bias")},
        "cell": facts,
        "line": "bidirectional " * settings.bidirectional + facts["title"],
        "units": "2 H" if settings.bidirectional else "H",
        "width": "2 * HIDDEN" if settings.bidirectional else "HIDDEN",
        "dropout": settings.dropout,
        "apart": settings.num_layers > 1 and settings.dropout > 0,
        "starts": starts,
        "needs_size": settings.initialisation == "orthogonal"
        or settings.forget_bias is not None
        or (bool(cell.recurrent_bias) and not settings.second_bias),
        "initialisation": settings.initialisation,
        "redrawn": settings.forget_bias is not None,
        "forget_bias": forget,
        "forget_words": _forgetting(forget) if forget is not None else "",
    }


def _forgetting(bias: float) -> str:
    """How long a memory lasts where a forget gate knows nothing but its bias."""
    share = 1 / (1 + math.exp(-bias))
    steps = math.log(2) / math.log1p(math.exp(-bias))
    return f"it begins {share:.0%} open, which leaves half of a memory after {steps:.3g} steps"


def layer_name(settings: RecurrentSettings) -> str:
    """A stack in a few words: an LSTM, a bidirectional GRU with 2 layers."""
    cell = find_cell(settings.cell)
    name = WORDS.get(cell.name, (cell.name,))[0]
    told = f"bidirectional {name}" if settings.bidirectional else name
    article = "an" if told[0] in "AEIOLaeio" else "a"
    layers = f" of {settings.num_layers} layers" if settings.num_layers > 1 else ""
    return f"{article} {told}{layers}"


def refuse(settings: Any, names: tuple[str, ...] | Mapping[str, Any], where: str) -> None:
    """Refuse settings that are not at their defaults and that a notebook cannot yet write."""
    for name in names:
        value, default = getattr(settings, name), type(settings).model_fields[name].default
        if value != default:
            raise unwritten(f"{where}.{name}={value}", f"{where.rsplit('.', 1)[-1]}.{name}={default}")


def unwritten(what: str, instead: str = "") -> InputError:
    """The refusal of a setting."""
    return InputError(f"a notebook cannot yet write {what}" + (f"; it can with {instead}" if instead else ""))
