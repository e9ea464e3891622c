"""The time loop in plain PyTorch: the definition every other kernel has to match. Any cell, any device, any dtype."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from lstmlab.cells import Cell, Gates, State
from lstmlab.kernels.noise import Noise, zone_out
from lstmlab.kernels.weights import EPSILON, Weights
from lstmlab.types import Padded

Watch = Callable[[int, Gates, Gates, State], None]
"""Shown every step: its number, what came from the input, what came from the past, and the state after it."""

Product = Callable[[Tensor, Tensor, Tensor | None], Tensor]
"""(values [B K], weight [N K], bias [N] or None) → values weightᵀ + bias, as torch's own `linear`."""


def run(
    cell: Cell,
    inputs: Padded,
    weights: Weights,
    state: State,
    noise: Noise | None = None,
    watch: Watch | None = None,
) -> tuple[Padded, State]:
    """Outputs [B T H] of inputs [B T F], and the state [B H] after each row's last step.

    Past a row's length its state stands still and its output is zero.
    """
    noise = noise or Noise()
    gates = from_inputs(inputs.values, weights)
    visible = noise.hidden(len(inputs.lengths), weights.bias.new_empty(weights.hidden_size))
    alive = inputs.mask[:, :, None]
    whole = int(inputs.lengths.min())
    outputs = []
    for t, stacked in enumerate(gates.unbind(1)):
        x, r, after = step(cell, weights, stacked, state, visible)
        after = zone_out(after, state, noise.kept(state, t))
        state = after if t < whole else _stand_still(alive[:, t], after, state)
        if watch is not None:
            watch(t, x, r, state)
        output = state[cell.states[0]]
        outputs.append(output if t < whole else output.masked_fill(~alive[:, t], 0))
    return Padded(torch.stack(outputs, 1), inputs.lengths), state


def step(
    cell: Cell,
    weights: Weights,
    stacked: Float[Tensor, "B GH"],
    state: State,
    visible: Float[Tensor, "B H"] | None = None,
    product: Product = functional.linear,
) -> tuple[Gates, Gates, State]:
    """One step from what `from_inputs` gives for it: the input's part, the past's part, and the state after it.

    `visible` multiplies h before the recurrent product (see Noise.hidden); `product` takes that product.
    """
    h = state[cell.states[0]]
    x, r = _gates(cell, weights, stacked, h if visible is None else h * visible, product)
    after = cell.step(x, r, state)
    if set(after.names) != set(cell.states):
        raise ValueError(f'cell "{cell.name}": its step returns {after.names}, its states are {cell.states}')
    return x, r, after


def from_inputs(
    values: Float[Tensor, "*B F"], weights: Weights, product: Product = functional.linear
) -> Float[Tensor, "*B GH"]:
    """W x + b, for any number of steps at once; the bias comes after a normalisation."""
    if not weights.gains:
        return product(values, weights.input, weights.bias)
    products = product(values, weights.input, None)
    if "sum" in weights.gains:
        return products
    return (_normalised(products, weights.gains["input"]) if "input" in weights.gains else products) + weights.bias


def _gates(cell: Cell, weights: Weights, stacked: Tensor, h: Tensor, product: Product) -> tuple[Gates, Gates]:
    """What the step is given: the input's part [B GH] and the past's, by gate name."""

    def split(values: Tensor, parameters: dict[str, Tensor]) -> Gates:
        return Gates.split(values.unflatten(-1, (len(cell.gates), -1)), cell.gates, parameters)

    parameters = dict(weights.parameters)
    if not cell.recurrent:
        return split(stacked, parameters), Gates({})
    past = product(h, weights.recurrent, None)
    if "sum" in weights.gains:
        stacked = _normalised(stacked + past, weights.gains["sum"]) + weights.bias
        return split(stacked, parameters), split(torch.zeros_like(stacked), {})
    if "recurrent" in weights.gains:
        past = _normalised(past, weights.gains["recurrent"])
    inner = weights.inner_bias(cell)
    return split(stacked, parameters), split(past if inner is None else past + inner, {})


def _normalised(values: Float[Tensor, "*B GH"], gain: Float[Tensor, "GH"]) -> Float[Tensor, "*B GH"]:
    """All gates' sums together at mean 0 and variance 1, then stretched (Ba, Kiros & Hinton 2016, equation 20)."""
    return functional.layer_norm(values, values.shape[-1:], gain, eps=EPSILON)


def _stand_still(alive: Tensor, after: State, before: State) -> State:
    return State(**{name: torch.where(alive, value, before[name]) for name, value in after.items()})
